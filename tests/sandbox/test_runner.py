from __future__ import annotations

import os
import re
import runpy
import socket
import ssl
import stat
import sys
from pathlib import Path

import httpx
import pytest

import gridwire.sandbox
from gridwire.errors import InvalidInput, MissingExtra
from gridwire.sandbox import Sandbox, runner


async def login(box: Sandbox, name: str = "TRADER1", **options: object) -> httpx.Response:
    account = box.venue("epias_stp").account(name)
    async with httpx.AsyncClient(trust_env=False, **options) as http:  # type: ignore[arg-type]
        form = {"username": account.username, "password": account.password.get_secret_value()}
        return await http.post(account.profile.cas_url + "/tickets", data=form)


async def test_every_venue_starts_when_none_is_named_and_short_names_work() -> None:
    async with Sandbox() as box:
        assert box.venue("epias") is box.venue("epias_stp")
        assert box.epias_stp.username == "TRADER1"
        assert box.epias_stp.profile.environment == "sandbox"
        assert box.epias_stp.profile.cas_url.split(":")[2] != box.epias_stp.profile.stp_url.split(":")[2]


@pytest.mark.parametrize("name", ["nordpool", "ibex_nordpool", ""])
def test_a_venue_that_is_not_there_is_named_in_one_sentence(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"it has edsn_pie, epias, epias_stp, pie, siooi\. Nothing was started"):
        Sandbox(name)


async def test_unknown_users_and_stopped_sandboxes_are_explained() -> None:
    box = Sandbox("epias_stp")
    with pytest.raises(InvalidInput, match="is not running"):
        _ = box.epias_stp
    async with box:
        venue = box.venue("epias_stp")
        with pytest.raises(InvalidInput, match="TRADER1, TRADER2, OPERATOR1"):
            venue.account("NOBODY")
    with pytest.raises(InvalidInput, match="not running"):
        _ = venue.profile


async def test_the_description_points_a_client_here() -> None:
    async with Sandbox("epias_stp") as box:
        described = box.describe()["venues"]["epias_stp"]
        account = box.epias_stp
        assert described["urls"] == {"cas": account.profile.cas_url, "stp": account.profile.stp_url}
        assert described["env"] == {
            "GRIDWIRE_EPIAS_STP_ENVIRONMENT": "sandbox",
            "GRIDWIRE_EPIAS_STP_CAS_URL": account.profile.cas_url,
            "GRIDWIRE_EPIAS_STP_STP_URL": account.profile.stp_url,
            "GRIDWIRE_EPIAS_STP_SERVICE": account.profile.service,
            "GRIDWIRE_EPIAS_STP_USERNAME": "TRADER1",
            "GRIDWIRE_EPIAS_STP_PASSWORD": account.password.get_secret_value(),
        }


async def test_tls_is_served_from_an_authority_the_account_and_the_bundle_carry() -> None:
    async with Sandbox("epias_stp", tls=True) as box:
        bundle = box.describe()["venues"]["epias_stp"]["env"]["GRIDWIRE_EPIAS_STP_CA_BUNDLE"]
        assert stat.S_IMODE(os.stat(bundle).st_mode) == 0o600 or os.name == "nt"
        assert box.epias_stp.profile.stp_url.startswith("https://127.0.0.1:")
        for context in (
            ssl.create_default_context(cadata=box.epias_stp.ca_pem),
            ssl.create_default_context(cafile=bundle),
        ):
            assert (await login(box, verify=context)).status_code == 201
        with pytest.raises(httpx.ConnectError):
            await login(box)
    with pytest.raises(FileNotFoundError):
        os.stat(bundle)


async def test_the_same_seed_gives_the_same_secrets_and_another_seed_others() -> None:
    seen = []
    for seed in (1, 1, 2):
        async with Sandbox("epias_stp", seed=seed) as box:
            seen.append((box.epias_stp.password.get_secret_value(), (await login(box)).text))
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


async def test_ports_can_be_chosen() -> None:
    async with Sandbox("epias_stp", ports={"epias": 61500}) as box:
        assert box.epias_stp.profile.stp_url == "http://127.0.0.1:61500"
        assert box.epias_stp.profile.cas_url == "http://127.0.0.1:61501/cas/v1"


async def test_two_sandboxes_do_not_know_each_other() -> None:
    async with Sandbox("epias_stp") as one, Sandbox("epias_stp") as two:
        await login(one)
        assert one.venue("epias_stp").cas.count("login") == 1
        assert two.venue("epias_stp").cas.count("login") == 0


async def test_no_secret_shows_in_repr() -> None:
    async with Sandbox("epias_stp") as box:
        venue, password = box.venue("epias_stp"), box.epias_stp.password.get_secret_value()
        tgt = (await login(box)).text
        shown = repr([box, venue, venue.cas, venue.cas.log, venue.log, box.epias_stp, venue.broadcast])
        assert password not in shown
        assert tgt not in shown


def test_without_the_extra_the_line_that_installs_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(MissingExtra, match=re.escape("pip install 'gridwire[sandbox]'")):
        runpy.run_path(gridwire.sandbox.__file__)


def test_a_venue_whose_packages_are_missing_is_left_out_unless_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "absent_venue.py").write_text(
        "from gridwire.errors import MissingExtra\nraise MissingExtra('install it')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(runner._VENUES, "absent", runner._Home("absent_venue", "Venue", 1))
    assert "absent" not in runner.venue_names()
    assert runner.venue_names("absent") == ["absent"]


class TestRealTcp:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, object]]:
        return ("asyncio", {})

    async def test_it_runs_on_a_plain_loop_over_tcp(self) -> None:
        async with Sandbox("epias_stp") as box:
            assert (await login(box)).status_code == 201

    async def test_a_port_in_use_is_an_os_error_and_leaves_nothing_behind(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(OSError, match="in use"):
                async with Sandbox("epias_stp", ports={"epias_stp": port}):
                    pass

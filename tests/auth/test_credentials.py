"""What a file of settings leaves around a name or a secret is refused at every venue, before a login is spent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from gridwire.auth.credentials import check_credential
from gridwire.edsn_pie import EdsnPie
from gridwire.epias_stp import EpiasStp
from gridwire.errors import ConfigurationError
from gridwire.flaws import flaw
from gridwire.sandbox import Sandbox
from gridwire.siooi import Siooi


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hunter2\r", "ends with a line end"),
        ("hunter2\r\n", "ends with a line end"),
        ("\nhunter2", "a control character"),
        ("hun\tter2", "a control character"),
        ("\ufeffhunter2", "an invisible one"),
        ("hunter2\u200b", "an invisible one"),
        ('"hunter2"', "stands in quotes"),
        ("'hunter2'", "stands in quotes"),
        ("“hunter2”", "stands in quotes"),
        ('""', "stands in quotes"),
        ('"hunter2" ', "stands in quotes"),
        (" 'hunter2'", "stands in quotes"),
        ("\xa0“hunter2”", "stands in quotes"),
        ("hunter2\xa0", "no-break space"),
        ("\u3000 hunter2", "no-break space"),
        ("hunter2\ud800", "an invisible one"),
    ],
)
def test_what_belongs_to_the_file_is_told_and_never_shown(text: str, said: str) -> None:
    assert said in str(flaw(text))
    with pytest.raises(ConfigurationError, match=rf"^password {said}|^password .*{said}") as caught:
        check_credential("password", SecretStr(text))
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).endswith("No login was tried, and nothing was sent.")


@pytest.mark.parametrize(
    "text",
    ["", "x", '"', "'a", 'a"b"', "pass word", " blanks ", "naïve", "şifre", "пароль", "'a\"", "'a' b", "a\xa0b", " "],
)
def test_what_may_be_a_password_is_left_alone(text: str) -> None:
    check_credential("password", SecretStr(text))


def test_a_name_has_no_blanks_around_it() -> None:
    with pytest.raises(ConfigurationError, match="username has blanks around it"):
        check_credential("username", "TRADER1 ")
    check_credential("username", "TRADER 1")


@pytest.mark.parametrize("odd", ["{}\r", "{}\n", '"{}"', "'{}'", '"{}" ', "\ufeff{}", "{}\xa0"])
async def test_every_venue_refuses_it_before_anything_is_sent(odd: str) -> None:
    def spoilt(value: str | SecretStr) -> Any:
        if isinstance(value, SecretStr):
            return SecretStr(odd.format(value.get_secret_value()))
        return odd.format(value)

    async with Sandbox("epias_stp", "siooi", "edsn_pie") as box:
        stp, siooi, pie = box.epias_stp, box.siooi, box.edsn_pie
        amqp = pie.profile.amqp
        assert amqp is not None
        makers: list[Callable[[], object]] = [
            *(lambda name=name: EpiasStp(replace(stp, **{name: spoilt(getattr(stp, name))})) for name in ("username", "password")),
            lambda: EpiasStp(replace(stp, profile=replace(stp.profile, service=spoilt(stp.profile.service)))),
            *(lambda name=name: Siooi(replace(siooi, **{name: spoilt(getattr(siooi, name))})) for name in ("login", "password")),
            lambda: EdsnPie(replace(pie, client_id=spoilt(pie.client_id))),
            lambda: EdsnPie(replace(pie, profile=replace(pie.profile, audience=spoilt("issuer")))),
            lambda: EdsnPie(replace(pie, profile=replace(pie.profile, assertion=replace(pie.profile.assertion, key_id=spoilt("k"))))),
            lambda: replace(amqp, username=spoilt("sa")),
            lambda: replace(amqp, address=spoilt("queue")),
        ]  # fmt: skip
        for make in makers:
            with pytest.raises(ConfigurationError, match=r"line end|invisible one|control character|quotes|blank"):
                make()
        async with EpiasStp(stp) as client:
            with pytest.raises(ConfigurationError, match="No login was tried"):
                client._tickets.update_credentials(stp.username, spoilt(stp.password))
        assert not list(box.venue("epias_stp").cas.log), "no login was spent"
        assert not list(box.venue("siooi").log)
        assert not list(box.venue("edsn_pie").log)

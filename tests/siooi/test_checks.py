"""Every contradiction in a profile is named by its field, with what would be right."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from gridwire.sandbox.siooi import profiles
from gridwire.siooi.checks import check_reach, load_profile
from gridwire.siooi.errors import ProfileError, ProfileNotConfirmed

Change = Callable[[dict[str, Any]], object]


def good(soap: bool = False) -> dict[str, Any]:
    make = profiles.simulator_soap if soap else profiles.simulator
    return deepcopy(make("http://127.0.0.1:1"))


def complaints(change: Change, soap: bool = False) -> dict[str, str]:
    described = good(soap)
    change(described)
    with pytest.raises(ProfileError) as caught:
        load_profile(described)
    assert "Nothing was sent." in str(caught.value)
    return dict(caught.value.complaints)


def test_the_profiles_of_the_sandbox_are_complete() -> None:
    for soap in (False, True):
        profile = load_profile(good(soap))
        assert load_profile(json.loads(json.dumps(good(soap)))) == profile
        assert profile.is_local
        assert set(profile.calls()) == {"login", "send", "status", "logout"}
        without = good(soap)
        del without["logout"]
        assert set(load_profile(without).calls()) == {"login", "send", "status"}


CASES: list[tuple[str, Change, str]] = [
    ("base_url", lambda p: p.update(base_url="host"), "is not an address"),
    ("base_url", lambda p: p.update(base_url="https://u:p@host"), "holds a login"),
    ("base_url", lambda p: p.update(base_url="https://u@host"), "holds a login"),
    ("base_url", lambda p: p.update(base_url="https://host:port"), "is not an address"),
    ("base_url", lambda p: p.update(base_url="https://host/?a=b"), "is not an address"),
    ("base_url", lambda p: p.update(base_url="http://host"), "https://"),
    ("session", lambda p: p.update(session=p["session"] * 2), "same name"),
    ("relogin_margin_s", lambda p: p.update(relogin_margin_s=600), "less than session_ttl_s"),
    ("session_ttl_s", lambda p: p.update(session_ttl_s=0), "greater than 0"),
    ("http_codes.4xx", lambda p: p.update(http_codes={"4xx": "INTERNAL"}), "not an HTTP status"),
    ("result_codes.7", lambda p: p["result_codes"].update({"7": "SOSO"}), "should be"),
    ("job_states.X", lambda p: p["job_states"].update(X="DONE"), "should be"),
    ("charset", lambda p: p.update(charset="koi8-r"), "utf-8"),
    ("confirm", lambda p: p.update(confirm=True), "not a field"),
    ("name", lambda p: p.update(name="my profile"), "not a name"),
    ("login.fields.user", lambda p: p["login"]["fields"].update(user="{user}"), "{login}, {password}"),
    ("login.fields.user", lambda p: p["login"]["fields"].update(user="{"), "written twice"),
    ("login.fields", lambda p: p["login"]["fields"].pop("password"), "nothing carries {password}"),
    ("login", lambda p: p["login"].update(query={"p": "{password}"}), "servers write addresses"),
    ("login.path", lambda p: p["login"].update(path="/a b"), "no blank"),
    ("login.path", lambda p: p["login"].update(path="/a?b"), "use query"),
    ("login.shape", lambda p: p["login"].update(body="xml"), "is missing"),
    ("login.fields", lambda p: p["login"].update(body="basic"), "no place in a body"),
    ("login.method", lambda p: p["login"].update(method="GET"), "has no body"),
    ("login.headers", lambda p: p["login"].update(headers={"Host": "x"}), "may not name"),
    *(
        (f"{section}.headers", lambda p, s=section, n=name: p[s].update(headers={"X-A": "1", n: "chunked"}), f"may not name {name}")
        for section in ("login", "send", "status")
        for name in ("Transfer-Encoding", "connection", "TE", "Trailer", "UPGRADE", "Keep-Alive", "Proxy-Connection", "Expect",
                     "Content-Encoding", "HTTP2-Settings", "content-length", "Cookie")
    ),
    *(
        ("session[0].inject.header", lambda p, n=name: p["session"][0].update(inject={"header": n}), f"may not be {name}")
        for name in ("Transfer-Encoding", "te", "Host", "Content-Length", "Content-Type")
    ),
    ("login.headers.A B", lambda p: p["login"].update(headers={"A B": "x"}), "header can carry"),
    ("login.result_code", lambda p: p["login"].pop("result_code"), "rules name codes"),
    ("send.fields.x", lambda p: p["send"]["fields"].update(x="{job_id}"), "which nothing fills"),
    ("send.file.name", lambda p: p["send"]["file"].update(name="{session.none}"), "which nothing fills"),
    ("send.method", lambda p: p["send"].update(method="DELETE"), "POST or PUT"),
    ("send.file.field", lambda p: p["send"]["file"].pop("field"), "needs the field"),
    ("send.file.field", lambda p: p["send"]["file"].update(field="formCode"), "also one of send.fields"),
    ("send.file.field", lambda p: p["send"].update(body="raw_xml", fields={}, query={"f": "{form_code}"}), "document itself"),
    ("send", lambda p: p["send"].update(fields={}), "put {form_code}"),
    ("send.queued_when[0].status", lambda p: p["send"].update(queued_when=[{"status": 302}]), "is no success"),
    ("send.queued_when[0]", lambda p: p["send"].update(queued_when=[{}]), "empty rule"),
    ("send.queued_when[0].code", lambda p: p["send"].update(queued_when=[{"code": "999"}]), "does not say that it means OK"),
    ("send.queued_when[0].status[0]", lambda p: p["send"].update(queued_when=[{"status": 500}]), "499"),
    ("send.refused_when[0].code", lambda p: p["send"].update(refused_when=[{"status": 400}]), "refuses nothing for certain"),
    ("send.refused_when[0].status", lambda p: p["send"].update(refused_when=[{"status": 302, "code": "201"}]), "redirect"),
    ("send.refused_when[0].code", lambda p: p["send"].update(refused_when=[{"code": "999"}]), "what kind of refusal"),
    ("send.refused_when[0].code", lambda p: p["send"].update(refused_when=[{"code": "0"}]), "what kind of refusal"),
    ("status", lambda p: p["status"].update(path="/jobs"), "put {job_id}"),
    ("status.path", lambda p: p["session"][0].update(inject={"path": True}), "must hold {session.sid}"),
    ("session[0].inject", lambda p: p["session"][0].update(inject={}), "exactly one"),
    ("session[0].inject", lambda p: p["session"][0].update(inject={"header": "A", "query": "b"}), "exactly one"),
    ("session[0].inject", lambda p: p["session"][0].update(inject={"header": "A", "template": "Bearer"}), "hold {v} once"),
    ("session[0].inject.field", lambda p: p["session"][0].update(inject={"field": "sid"}), "has no place in status"),
    ("limits.max_file_bytes", lambda p: p.update(limits={"max_file_bytes": 0}), "greater than 0"),
    ("tls.min_version", lambda p: p.update(tls={"min_version": "1.0"}), "1.2"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "change", "words"), CASES, ids=[f"{n}-{field}" for n, (field, _, _) in enumerate(CASES)]
)
def test_a_contradiction_is_named_by_its_field(field: str, change: Change, words: str) -> None:
    found = complaints(change)
    assert field in found, found
    assert words in found[field]


def test_soap_without_its_element_is_refused() -> None:
    assert "status.shape" in complaints(lambda p: p["status"].pop("shape"), soap=True)


def test_a_file_is_toml_or_json_in_utf8(tmp_path: Path) -> None:
    described = good()
    path = tmp_path / "профиль.json"
    path.write_text(json.dumps(described), encoding="utf-8-sig")
    assert load_profile(path) == load_profile(str(path)) == load_profile(described)
    for name, content, words in (
        ("a.toml", b"name = ", "neither TOML nor JSON"),
        ("a.json", b"[" * 100_000, "neither TOML nor JSON"),
        ("a.toml", "name = 'я'".encode("cp1251"), "not UTF-8"),
        ("a.toml", b"#" * (1024 * 1024 + 1), "1 MiB"),
        ("a.json", b"[]", "dictionary"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ProfileError, match=words):
            load_profile(tmp_path / name)
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile(tmp_path / "none.toml")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_an_unconfirmed_profile_may_talk_to_this_machine(host: str) -> None:
    check_reach(load_profile({**good(), "base_url": f"http://{host}:1"}))


def test_a_confirmed_profile_may_go_out_and_an_unconfirmed_one_may_not() -> None:
    outside = {**good(), "base_url": "https://siooi.example"}
    with pytest.raises(ProfileNotConfirmed, match="source_note"):
        check_reach(load_profile(outside))
    check_reach(load_profile({**outside, "confirmed": True}))


def test_codes_written_as_numbers_are_text() -> None:
    described = good()
    described["result_codes"] = {0: "OK", 101: "BAD_CREDENTIALS", 201: "NO_ROLE"}
    described["send"]["refused_when"] = [{"code": 201}]
    profile = load_profile(described)
    assert profile.send.refused_when[0].code == ("201",)
    assert (profile.code("0"), profile.code("7"), profile.code(None)) == ("OK", "UNMAPPED", None)

"""The pages about АС СиОИ: the profile they lead to works, and they name every field of a profile."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from gridwire.cli import main
from gridwire.siooi.account import SiooiSettings
from gridwire.siooi.enums import JobState, ResultCode
from gridwire.siooi.lifetimes import Lifetime
from gridwire.siooi.places import ErrorList, Place
from gridwire.siooi.profile import (
    Carrier,
    FilePart,
    Injection,
    Limits,
    LoginCall,
    LogoutCall,
    Profile,
    Rule,
    SendCall,
    StatusCall,
    Tls,
    XmlShape,
)
from gridwire.sync import Sandbox

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
WIRE = (DOCS / "protocols" / "siooi.md").read_text(encoding="utf-8")
MODELS = (
    Profile, Tls, Rule, XmlShape, LoginCall, SendCall, StatusCall, LogoutCall, FilePart, Carrier, Injection, Limits, Place,
    ErrorList, Lifetime,
)  # fmt: skip


def profile_on_the_page() -> str:
    """The only TOML block."""
    (found,) = re.findall(r"^```toml\n(.*?)^```", WIRE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_profile_on_the_page_is_the_one_that_the_tests_use() -> None:
    fixture = ROOT / "tests" / "fixtures" / "siooi" / "third_wire.toml"
    assert tomllib.loads(profile_on_the_page()) == tomllib.loads(fixture.read_text(encoding="utf-8"))


def as_the_shell_reads_it(line: str) -> list[str]:
    """The words after ``gridwire``, with what the shell puts in for ``$(…)``."""
    said = subprocess.run(
        ["/bin/sh", "-c", line.replace("gridwire", "printf '%s\\n'", 1)], capture_output=True, text=True, check=True
    )
    return said.stdout.splitlines()


@pytest.mark.parametrize("page", ["siooi.md", "siooi.ru.md"])
def test_the_walk_ends_with_a_loaded_document(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    commands = [line for line in re.findall(r"^gridwire siooi .+$", text, re.MULTILINE) if "20261201-" not in line]
    assert [line.split()[2] for line in commands] == ["profile", "profile", "prepare", "submit", "journal"]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    with Sandbox("siooi") as box:
        venue = box.venue("siooi")
        for name, value in box.describe()["venues"]["siooi"]["env"].items():
            monkeypatch.setenv(name, value)
        for line in commands:
            words = as_the_shell_reads_it(line)
            code = main([*words, "--yes"] if "submit" in words else words)
            assert code == 0, (line, capsys.readouterr().err)
            if words[1:3] == ["profile", "new"]:
                written = profile_on_the_page().replace("http://127.0.0.1:8080", venue.origin)
                (tmp_path / "my.toml").write_text(written, encoding="utf-8")
        assert len(venue.log.uploads()) == 4
        assert {call.wire for call in venue.log} == {"text"}
        capsys.readouterr()
        assert main(["siooi", "journal", "--json"]) == 0
        assert {row["state"] for row in json.loads(capsys.readouterr().out)["uploads"]} == {"succeeded"}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_of_a_profile_is_on_the_page(model: type[BaseModel]) -> None:
    named = {word for path in re.findall(r"`([a-z0-9_.]+)`", WIRE) for word in path.split(".")}
    assert {field.alias or name for name, field in model.model_fields.items()} <= named


def test_every_meaning_a_code_can_have_is_on_the_page() -> None:
    named = set(re.findall(r"`([A-Z_]+)`", WIRE))
    assert {code.value for code in ResultCode} | {state.value for state in JobState} <= named


def test_every_setting_is_on_its_page() -> None:
    named = set(re.findall(r"`([a-z_]+)`", (DOCS / "siooi.md").read_text(encoding="utf-8")))
    assert set(SiooiSettings.model_fields) <= named

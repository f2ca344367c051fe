"""The commands that the pages show exist, with those options and those exit codes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from gridwire.cli.app import app
from gridwire.cli.exits import ExitCode

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGE = ROOT / "docs" / "command-line.md"

_SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(gridwire [a-z][^`]*)`")


def shown() -> list[str]:
    """Every command line of the pages that begins with gridwire, once."""
    lines: set[str] = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines.update(_INLINE.findall(text))
        for block in _SHELL.findall(text):
            lines.update(line for line in block.splitlines() if line.startswith("gridwire "))
    return sorted(lines)


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that ``words`` name, and the words left for it."""
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    return command, words


@pytest.mark.parametrize("line", shown())
def test_a_command_that_is_shown_exists_with_its_options(line: str) -> None:
    command, rest = command_of(shlex.split(line, comments=True)[1:])
    assert not hasattr(command, "commands"), f"{line} names no command"
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in rest if word.startswith("-")} <= options | {"--help"}


def leaves(command: Any, name: str) -> set[str]:
    """Every command below ``command``, by its whole name."""
    below = getattr(command, "commands", None)
    return {name} if below is None else set().union(*(leaves(sub, f"{name} {word}") for word, sub in below.items()))


def test_every_command_is_on_its_page() -> None:
    listed = set(re.findall(r"^\| `([^`]+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == leaves(typer.main.get_command(app), "gridwire")


def test_every_exit_code_is_on_its_page() -> None:
    listed = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [(int(code), text) for code, text in listed] == [(code.value, code.text) for code in ExitCode]

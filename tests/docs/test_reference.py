"""The reference pages of the venues: every public name of a venue is on its page."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "reference"
_DIRECTIVE = re.compile(r"^::: (?P<path>[\w.]+)\n(?P<options>(?:    .*\n)*)", re.MULTILINE)
_MEMBERS = re.compile(r"members: \[(.*)\]")


def documented(page: str, name: str, value: Any) -> bool:
    """Whether ``page`` shows ``value``: by its own directive, by that of its module, or, a constant, in a sentence."""
    for found in _DIRECTIVE.finditer(page):
        path = found["path"]
        if path == f"{value.__module__}.{name}":
            return True
        members = _MEMBERS.search(found["options"])
        if path == value.__module__ and (members is None or name in members[1].split(", ")):
            return True
    return f"`{name}`" in page


@pytest.mark.parametrize("venue", ["epias_stp", "edsn_pie", "siooi"])
def test_every_public_name_of_a_venue_is_on_its_page(venue: str) -> None:
    module = importlib.import_module(f"gridwire.{venue}")
    page = (PAGES / f"{venue}.md").read_text(encoding="utf-8")
    assert [name for name in module.__all__ if not documented(page, name, getattr(module, name))] == []


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_what_a_page_shows_is_there(page: Path) -> None:
    for found in _DIRECTIVE.finditer(page.read_text(encoding="utf-8")):
        home, _, name = found["path"].rpartition(".")
        try:
            importlib.import_module(found["path"])
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(home), name), found["path"]

"""The pages hold together: each is in the navigation, and what the files outside the site link to exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"


def pages_in(entry: Any) -> Iterator[str]:
    """The pages named by a part of the navigation."""
    match entry:
        case str():
            yield entry
        case list():
            for part in entry:
                yield from pages_in(part)
        case dict():
            for part in entry.values():
                yield from pages_in(part)


def test_every_page_is_in_the_navigation_once() -> None:
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    named = list(pages_in(navigation))
    assert sorted(named) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_between_files_lead_somewhere(name: str) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", (ROOT / name).read_text())
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_decisions_are_numbered_without_a_gap_and_listed() -> None:
    decisions = sorted(page.name for page in (DOCS / "decisions").glob("[0-9]*.md"))
    assert [int(name[:4]) for name in decisions] == list(range(1, len(decisions) + 1))
    index = (DOCS / "decisions" / "index.md").read_text()
    assert [name for name in decisions if f"({name})" not in index] == []


@pytest.mark.parametrize("page", sorted((DOCS / "decisions").glob("[0-9]*.md")), ids=lambda page: page.stem)
def test_a_decision_says_what_why_and_at_what_cost(page: Path) -> None:
    headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
    assert headings == ["Situation", "Decision", "Consequences"]

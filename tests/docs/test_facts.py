"""Facts that the pages list are the facts that the code has."""

from __future__ import annotations

import re
from pathlib import Path

from gridwire import edsn_pie
from gridwire.edsn_pie.settings import PieSettings
from gridwire.epias_stp.profile import PRESETS, PRODUCTION, TEST, StpSettings

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def column(page: str, number: int) -> set[str]:
    """Every ``code`` word in one column of a page's tables."""
    rows = [line.split("|") for line in (DOCS / page).read_text().splitlines() if line.startswith("|")]
    return {word for row in rows if len(row) > number for word in re.findall(r"`([^`]+)`", row[number])}


def test_every_setting_is_on_its_page() -> None:
    assert set(StpSettings.model_fields) <= column("settings.md", 1)


def test_every_fact_to_confirm_is_on_its_page() -> None:
    assert set(PRODUCTION.facts) <= column("settings.md", 1)


def test_every_setting_and_fact_of_partners_in_energie_is_on_its_page() -> None:
    assert set(PieSettings.model_fields) | set(edsn_pie.PRODUCTION.facts) <= column("settings.md", 1)


def test_the_addresses_of_partners_in_energie_are_those_of_the_profiles() -> None:
    for number, profile in ((2, edsn_pie.PRODUCTION), (3, edsn_pie.TEST)):
        listed = column("protocols/edsn_pie.md", number)
        assert {profile.idp_url, profile.rest_url, profile.portal_url} <= listed
    assert {edsn_pie.TEST.token_path, edsn_pie.TEST.issuer_path} <= column("protocols/edsn_pie.md", 2)
    assert edsn_pie.TEST.ticket_path in column("protocols/edsn_pie.md", 2)
    pointers = edsn_pie.TEST.pointers
    assert {*pointers.ticket, *pointers.comment, *pointers.ticket_of_comment} <= column("protocols/edsn_pie.md", 2)


def test_the_addresses_of_the_venue_are_those_of_the_profiles() -> None:
    assert {PRODUCTION.cas_url, PRODUCTION.stp_url} <= column("protocols/epias_stp.md", 2)
    assert {TEST.cas_url, TEST.stp_url} <= column("protocols/epias_stp.md", 3)
    for profile in PRESETS.values():
        assert {profile.engine_path, profile.broadcaster_path} <= column("protocols/epias_stp.md", 2)

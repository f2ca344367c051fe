"""A document whose bytes contradict what is declared about them never reaches the venue, by whatever body it would travel."""

from __future__ import annotations

import codecs
from dataclasses import replace
from pathlib import Path

import pytest

from gridwire.errors import InvalidInput
from gridwire.siooi import Profile, Siooi, load_profile
from gridwire.siooi.errors import ProfileError
from tests.acceptance.siooi.office import accepted, office, prepared, sent


def declared(content: bytes, encoding: str) -> bytes:
    """The same document under another declaration."""
    return content.replace(b'encoding="UTF-8"', f'encoding="{encoding}"'.encode())


@pytest.mark.parametrize("wire", ["json", "soap", "text"])
async def test_bytes_that_contradict_their_declaration_are_refused_by_both_names(tmp_path: Path, wire: str) -> None:
    async with office(tmp_path) as desk, desk.client(wire) as client:
        utf8 = desk.venue.document()
        for content, names in (
            (declared(utf8, "windows-1251"), "declares windows-1251, and its bytes are UTF-8"),
            (declared(utf8, "UTF-16"), "declares UTF-16, and its bytes are not"),
            (codecs.BOM_UTF8 + declared(utf8, "windows-1251"), "declares windows-1251, and it begins with .* UTF-8"),
            (
                desk.venue.document(encoding="windows-1251").replace(b"windows-1251", b"UTF-8"),
                "declares UTF-8, and line",
            ),
        ):
            with pytest.raises(InvalidInput, match=names):
                await prepared(client, content)
        assert len(desk.venue.log) == 0
        accepted(await sent(client, utf8))


def typed(profile: Profile, content_type: str) -> Profile:
    """A profile that sends documents under another media type."""
    described = profile.model_dump(by_alias=True, exclude_defaults=True)
    described["send"]["file"]["content_type"] = content_type
    return load_profile(described)


async def test_a_media_type_that_contradicts_the_document_is_refused(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        account = desk.account("json")
        account = replace(account, profile=typed(account.profile, "application/xml; charset=windows-1251"))
        async with Siooi(account, journal=desk.journal, schemas=desk.venue.schemas) as client:
            with pytest.raises(InvalidInput, match=r"is in UTF-8, and send\.file\.content_type .* says windows-1251"):
                await prepared(client)
            accepted(await sent(client, desk.venue.document(encoding="windows-1251")))
        for wrong in ("application/xml; charset=koi8-r", "xml", "application/xml\r\nX-Other: 1"):
            with pytest.raises(ProfileError, match=r"send\.file\.content_type"):
                typed(account.profile, wrong)

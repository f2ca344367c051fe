"""Passwords, sessions and documents appear in no output; Cyrillic does, unharmed."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gridwire.intents.uploads import read
from gridwire.observe.events import Event
from gridwire.siooi import Account, Siooi
from tests.acceptance.siooi.office import accepted, office, prepared, sent, unknown
from tests.support.planted import MARK, PASSWORD, leaks
from tests.test_secrets import of_outcome

MARKER = "Секретный трансформатор"
FAULTS: list[dict[str, Any]] = [
    {},
    {"kind": "drop_after_execute"},
    {"kind": "html"},
    {"kind": "result", "result_code": "777"},
    {"kind": "result", "result_code": "201"},
    {"kind": "redirect"},
]


@pytest.mark.parametrize("wire", ["json", "soap", "third"])
async def test_G19_no_password_session_or_document_is_in_any_output(
    tmp_path: Path, wire: str, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[str] = []

    def hear(event: Event) -> None:
        said.append(repr(event))

    tokens: set[str] = set()
    with caplog.at_level(logging.DEBUG):
        for number, fault in enumerate(FAULTS):
            place = tmp_path / str(number)
            place.mkdir()
            async with office(place) as desk:
                account = desk.account(wire)
                desk.venue.registry.passwords[account.login] = PASSWORD
                account = Account(account.profile, account.login, SecretStr(PASSWORD))
                said += [repr(account), repr(account.profile)]
                async with Siooi(account, journal=desk.journal, schemas=desk.venue.schemas, on_event=hear) as client:
                    content = desk.venue.document().replace("Трансформатор".encode(), MARKER.encode())
                    document = await prepared(client, content)
                    said += [repr(document), str(document), document.summary()]
                    if fault:
                        desk.venue.faults.add(operation="send", **fault)
                    outcome = await client.submit(document, confirm=True)
                    said.append(of_outcome(outcome))
                    tokens |= set(desk.venue.registry.tokens)
                    if not fault:
                        said.append(repr(await client.wait(accepted(outcome))))
                    said += [repr(client), repr(client._sessions), repr(client._sessions.peek())]
                said += [repr(row) for row in read(desk.journal)]
                said.append(desk.journal.read_bytes().decode("latin-1"))
    assert tokens
    heard = "\n".join([*said, caplog.text])
    assert leaks(heard) == []
    assert MARK not in heard
    assert [token for token in tokens if token in heard] == []
    assert MARKER not in heard


@pytest.mark.parametrize("wire", ["json", "soap", "third"])
async def test_a_venue_that_echoes_the_session_does_not_put_it_into_the_journal(tmp_path: Path, wire: str) -> None:
    async with office(tmp_path) as desk, desk.client(wire) as client:
        session = await client._sessions.get()
        (token,) = session.values.values()
        desk.venue.faults.add("raw", operation="send", content=f"ошибка сеанса {token}".encode("cp1251"), executed=True)
        outcome = await sent(client)
        assert token not in of_outcome(outcome)
        (row,) = read(desk.journal)
        assert row.state == "unknown"
        assert token not in row.answer
        assert token.encode() not in desk.journal.read_bytes()


async def test_russian_words_of_the_venue_come_through(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with office(tmp_path) as desk, desk.client("soap", "reader@energo.example") as client:
        outcome = await sent(client)
        assert "Ответственный за передаваемую информацию" in of_outcome(outcome)
        await asyncio.sleep(0)


async def test_a_venue_that_says_the_session_in_its_explanation_is_not_repeated(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        session = await client._sessions.get()
        (token,) = session.values.values()
        content = f'{{"code": 201, "message": "сеанс {token} без роли"}}'.encode()
        desk.venue.faults.add("raw", operation="send", content=content)
        outcome = await sent(client)
        assert "сеанс *** без роли" in of_outcome(outcome)
        assert token not in of_outcome(outcome)


async def test_a_venue_that_repeats_the_password_does_not_put_it_anywhere(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        password = desk.account("json").password.get_secret_value()
        content = json.dumps({"code": 201, "message": f"пароль {password}"}).encode()
        desk.venue.faults.add("raw", operation="send", content=content)
        outcome = await sent(client)
        assert "пароль ***" in of_outcome(outcome)
        assert password not in of_outcome(outcome) + repr(desk.events) + repr(read(desk.journal))
        assert password.encode() not in desk.journal.read_bytes()


@pytest.mark.parametrize("wire", ["json", "soap"])
async def test_a_password_in_an_unusual_spelling_is_not_kept_in_the_journal(tmp_path: Path, wire: str) -> None:
    async with office(tmp_path) as desk, desk.client(wire) as client:
        password = desk.account(wire).password.get_secret_value()
        forms = (
            "".join(f"&#{ord(letter)};" for letter in password),
            "".join(f"%{byte:02x}" for byte in password.encode("cp1251")),
            base64.b64encode(password.encode()).decode(),
        )
        desk.venue.faults.add("raw", operation="send", status=502, content=f"<r>{' '.join(forms)}</r>".encode())
        unknown(await sent(client))
        (row,) = read(desk.journal)
        assert row.answer == "<r>*** *** ***</r>"
        assert not any(form.encode() in desk.journal.read_bytes() for form in forms)

"""A running venue and a back office beside it: what the golden tests have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gridwire.intents.upload_records import Upload
from gridwire.intents.uploads import read
from gridwire.observe.events import Event
from gridwire.outcome import Accepted, Outcome, Rejected, Unknown
from gridwire.sandbox import Sandbox
from gridwire.sandbox.siooi import SiooiVenue
from gridwire.siooi import JobRef, Prepared, Siooi, load_profile
from gridwire.siooi.duplicates import obstacle_in

PROFILES = Path(__file__).parents[2] / "fixtures" / "siooi"
FORM, OBJECT, PERIOD = "F101", "TPP-1", "2026-Q3"


@dataclass
class Office:
    """The venue, the journal's place, and everything the clients said."""

    venue: SiooiVenue
    journal: Path
    events: list[Event] = field(default_factory=list)

    @asynccontextmanager
    async def client(self, wire: str = "json", user: str = "clerk@energo.example", **more: Any) -> AsyncIterator[Siooi]:
        """A client over one of the three wires."""
        options: dict[str, Any] = {
            "journal": self.journal, "schemas": self.venue.schemas, "on_event": self.events.append, **more,
        }  # fmt: skip
        async with Siooi(self.account(wire, user), **options) as client:
            yield client

    def account(self, wire: str, user: str = "clerk@energo.example") -> Any:
        """The account; that of the third wire by the profile that was written from the documentation."""
        if wire in ("json", "soap"):
            return self.venue.account(user, wire=wire)  # type: ignore[arg-type]
        text = (PROFILES / "third_wire.toml").read_text(encoding="utf-8")
        path = self.journal.parent / "third_wire.toml"
        path.write_text(text.replace("http://127.0.0.1:8080", self.venue.origin), encoding="utf-8")
        return self.venue.account(user, profile=load_profile(path))

    def states(self) -> list[str]:
        """Of the journal's rows, oldest first."""
        return [row.state for row in read(self.journal)]

    def named(self, name: str) -> list[Event]:
        """The events of one name."""
        return [event for event in self.events if event.name == name]


@asynccontextmanager
async def office(tmp_path: Path, *, tls: bool = False) -> AsyncIterator[Office]:
    """A venue on loopback and a journal in ``tmp_path``."""
    async with Sandbox("siooi", tls=tls) as box:
        yield Office(box.venue("siooi"), tmp_path / "uploads.sqlite")


async def prepared(client: Siooi, content: bytes | None = None, **names: str) -> Prepared:
    """A document of form F101 about TPP-1, as the tests like it."""
    about: dict[str, Any] = {"form_code": FORM, "object_key": OBJECT, "period": PERIOD, **names}
    return await client.prepare(content or SiooiVenue.document(), **about)


async def sent(client: Siooi, content: bytes | None = None, **names: str) -> Outcome:
    """Prepare and submit."""
    return await client.submit(await prepared(client, content, **names), confirm=True)


def accepted(outcome: Outcome) -> JobRef:
    """The job of an outcome that must be accepted."""
    assert isinstance(outcome, Accepted), outcome
    assert isinstance(outcome.order, JobRef)
    return outcome.order


def rejected(outcome: Outcome, origin: str, code: str | None = None) -> Rejected:
    """An outcome that must be rejected."""
    assert isinstance(outcome, Rejected), outcome
    assert outcome.origin == origin
    assert code in (None, outcome.code)
    return outcome


def held_back(outcome: Outcome, state: str) -> Upload:
    """The earlier upload that an outcome tells of, which must be in ``state``."""
    obstacle = obstacle_in(outcome)
    assert obstacle is not None, outcome
    assert obstacle.upload.state == state
    return obstacle.upload


def unknown(outcome: Outcome, cause: str | None = None) -> Unknown:
    """An outcome that must be unknown."""
    assert isinstance(outcome, Unknown), outcome
    assert cause in (None, outcome.cause), outcome
    return outcome

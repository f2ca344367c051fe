"""The options that every command of АС СиОИ has, and the client they make."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer

from gridwire.cli import loop
from gridwire.cli.options import choice, config_file, warn, with_options
from gridwire.cli.output import console, tell
from gridwire.cli.siooi.words import Lang, Words, language_of_locale

if TYPE_CHECKING:
    from gridwire.observe.events import Event
    from gridwire.siooi import Siooi
    from gridwire.siooi.account import SiooiSettings

T = TypeVar("T")
ZONE = "Europe/Moscow"
_SAID_ELSEWHERE = frozenset({"outcome.unknown", "job.not_settled", "job.succeeded"})


@dataclass(frozen=True)
class Link:
    """Where a command goes and how it speaks. The fields are the options, in the order of their help."""

    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")] = False
    lang: Annotated[str | None, choice("en", "ru", help="Language of the words; that of the locale unless set.")] = None
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A gridwire.toml; the nearest one unless set.")
    ] = None
    profile: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The profile; GRIDWIRE_SIOOI_PROFILE unless set.")
    ] = None
    journal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The upload journal; the usual place unless set.")
    ] = None

    @cached_property
    def words(self) -> Words:
        """The language to speak."""
        return Words(cast("Lang", self.lang) if self.lang is not None else language_of_locale())

    @cached_property
    def settings(self) -> SiooiSettings:
        """What options, environment and file say together. Raises `ConfigurationError`."""
        from gridwire import settings
        from gridwire.siooi.account import PREFIX, TABLE, SiooiSettings

        return settings.load(
            SiooiSettings, prefix=PREFIX, table=TABLE, overrides=self._overrides, file=config_file(self.config)
        )

    @property
    def _overrides(self) -> dict[str, Any]:
        return {
            "profile": None if self.profile is None else str(self.profile),
            "journal": None if self.journal is None else str(self.journal),
        }

    @property
    def journal_path(self) -> Path:
        """Where the upload journal is."""
        from gridwire.intents.uploads import default_path
        from gridwire.settings import lasting_path

        named = self.settings.journal
        return lasting_path(named, "journal") if named else default_path()

    def note_new_journal(self) -> None:
        """Say so where ``--journal`` names no file: a mistyped name would let documents leave twice."""
        if self.journal is not None and not self.journal_path.exists():
            note = self.words("new_journal", file=self.journal_path)
            tell(note, label=self.words("label_note"), style="yellow")

    def run(self, work: Callable[[Siooi], Awaitable[T]], *, offline: bool = False) -> T:
        """Open a client, do ``work`` with it, close it. What stays ``offline`` needs no password."""
        from gridwire.siooi import Siooi

        # A command ends and the next one goes on: its journal is never a throw-away one.
        self.note_new_journal()
        more: dict[str, Any] = {**self._overrides, "journal": str(self.journal_path)}
        if offline and self.settings.password is None:
            more["password"] = "none needed"  # noqa: S105 - stands for one that is not asked for

        async def inside() -> T:
            async with Siooi.from_env(file=self.config, on_event=self._warn, **more) as client:
                return await work(client)

        return loop.run(inside)

    def _warn(self, event: Event) -> None:
        if event.name not in _SAID_ELSEWHERE:
            warn(event)


class Ticker:
    """One line about what is going on: rewritten in place on a terminal, a new one when it changes elsewhere."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent
        self._screen = console(sys.stderr)
        self._last = ""
        self._status: Any = None

    def __enter__(self) -> Ticker:
        if self._screen.is_terminal and not self._screen.is_dumb_terminal and not self._silent:
            self._status = self._screen.status("")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def say(self, text: str) -> None:
        """Say it, unless it was said last."""
        if self._silent or text == self._last:
            return
        self._last = text
        if self._status is not None:
            self._status.update(text)
        else:
            tell(text)


def with_link(work: Callable[..., int | None]) -> Callable[..., None]:
    """Make a command of ``work``, a function of a `Link` and of its own options: it gets the link's options besides."""
    return with_options(Link, work)

"""The options that every STP command has, and the client they make."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from gridwire.cli import loop
from gridwire.cli.options import choice, config_file, warn, with_options
from gridwire.cli.output import tell
from gridwire.errors import InvalidInput

if TYPE_CHECKING:
    from gridwire.epias_stp import EpiasStp
    from gridwire.epias_stp.profile import StpSettings
    from gridwire.observe.events import Event

T = TypeVar("T")

_TOLD_BY_THE_OUTCOME = frozenset({"outcome.unknown", "answer.foreign"})


@dataclass(frozen=True)
class Link:
    """Where a command goes and how it speaks. The fields are the options, in the order of their help."""

    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
    environment: Annotated[
        str | None, choice("sandbox", "test", "production", help="There is no default; production is real money.")
    ] = None
    language: Annotated[
        str | None, choice("tr-tr", "en-us", help="Language of the venue's texts; tr-tr unless set.")
    ] = None
    format: Annotated[str | None, choice("json", "xml", help="Form of the messages; json unless set.")] = None
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A gridwire.toml; the nearest one unless set.")
    ] = None
    no_ticket_file: Annotated[
        bool, typer.Option("--no-ticket-file", help="Log in anew; otherwise commands share one login, kept in a file.")
    ] = False

    @cached_property
    def settings(self) -> StpSettings:
        """What options, environment and file say together. Raises `ConfigurationError`."""
        from gridwire import settings
        from gridwire.epias_stp.profile import PREFIX, TABLE, StpSettings

        return settings.load(
            StpSettings,
            prefix=PREFIX,
            table=TABLE,
            overrides={"environment": self.environment, "language": self.language, "message_format": self.format},
            file=config_file(self.config),
        )

    def confirm(self, what: str, *, yes: bool) -> None:
        """Have a person agree to ``what`` before a write at production.

        Raises `InvalidInput` where nobody can be asked and ``--yes`` is missing, `KeyboardInterrupt` for a no.
        """
        if yes or self.settings.environment != "production":
            return
        if not sys.stdin.isatty():
            raise InvalidInput(f"{what} at production needs --yes, because nobody can be asked here. Nothing was sent.")
        try:
            agreed = typer.confirm(f"{what} at production, as {self.settings.username}, with real money?", err=True)
        except typer.Abort:  # Ctrl-C or the end of the input
            agreed = False
        if not agreed:
            tell("Nothing was sent.")
            raise KeyboardInterrupt

    def run(self, work: Callable[[EpiasStp], Awaitable[T]]) -> T:
        """Open a client, do ``work`` with it, close it."""
        from gridwire.epias_stp import EpiasStp
        from gridwire.intents.journal import default_directory

        # A login per command is what gets accounts blocked, so the session is kept unless a setting says otherwise.
        kept = self.settings.ticket_file if "ticket_file" in self.settings.model_fields_set else True

        async def inside() -> T:
            async with EpiasStp.from_env(
                file=self.config,
                environment=self.environment,
                language=self.language,
                message_format=self.format,
                ticket_file=False if self.no_ticket_file else kept,
                journal=self.settings.journal or str(default_directory()),
                on_event=_warn,
            ) as stp:
                return await work(stp)

        return loop.run(inside)


def _warn(event: Event) -> None:
    if event.name not in _TOLD_BY_THE_OUTCOME:
        warn(event)


def with_link(work: Callable[..., int | None]) -> Callable[..., None]:
    """Make a command of ``work``, a function of a `Link` and of its own options: it gets the link's options besides."""
    return with_options(Link, work)

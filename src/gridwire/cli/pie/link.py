"""The options that every command of Partners in Energie has, and the client they make."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from gridwire.cli import loop
from gridwire.cli.options import choice, config_file, warn, with_options

if TYPE_CHECKING:
    from gridwire.edsn_pie import EdsnPie
    from gridwire.edsn_pie.settings import PieSettings
    from gridwire.observe.events import Event

T = TypeVar("T")


@dataclass(frozen=True)
class Link:
    """Where a command goes and how it speaks. The fields are the options, in the order of their help."""

    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
    environment: Annotated[
        str | None,
        choice(
            "sandbox",
            "test",
            "production",
            help="There is no default; test is what EDSN calls acceptance.",
            also={"acceptance": "test"},
        ),
    ] = None
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A gridwire.toml; the nearest one unless set.")
    ] = None

    def settings(self) -> PieSettings:
        """What is set, without a client."""
        from gridwire import settings
        from gridwire.edsn_pie.settings import PREFIX, TABLE, PieSettings

        given = {"environment": self.environment}
        return settings.load(PieSettings, prefix=PREFIX, table=TABLE, overrides=given, file=self._file())

    def _file(self) -> Path | None:
        return config_file(self.config)

    def run(self, work: Callable[[EdsnPie], Awaitable[T]]) -> T:
        """Open a client, do ``work`` with it, close it."""
        from gridwire.edsn_pie import EdsnPie

        file = self._file()

        async def inside() -> T:
            async with EdsnPie.from_env(file=file, environment=self.environment, on_event=_warn) as pie:
                return await work(pie)

        return loop.run(inside)


def _warn(event: Event) -> None:
    """Tell of it, unless it is what the command ends with and says as its error."""
    if event.name != "link.failed":
        warn(event)


def with_link(work: Callable[..., int | None]) -> Callable[..., None]:
    """Make a command of ``work``, a function of a `Link` and of its own options: it gets the link's options besides."""
    return with_options(Link, work)

"""Options that the commands of a venue have in common, and how a command gets them."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import typer

from gridwire.cli.output import tell

if TYPE_CHECKING:
    from gridwire.observe.events import Event


def choice(*values: str, help: str, also: Mapping[str, str] | None = None) -> Any:
    """An option that takes one of ``values``, in capitals or not. ``also`` has names that others use, with the value meant."""

    def check(value: str | None) -> str | None:
        if value is not None and value.lower() not in values:
            ours = (also or {}).get(value.lower())
            hint = f" What the venue calls {value} is {ours} here." if ours else ""
            raise typer.BadParameter(f"{value!r} is none of {', '.join(values)}.{hint} Nothing was sent.")
        return value and value.lower()

    return typer.Option(metavar="|".join(values), callback=check, help=help)


def config_file(config: Path | None) -> Path | None:
    """The file that ``--config`` names. Raises `ConfigurationError` where it is none."""
    from gridwire.settings import existing

    return None if config is None else existing(config, "--config", "file")


def warn(event: Event) -> None:
    """Tell of a client's event on stderr if it is a warning or worse."""
    if event.level >= logging.WARNING:
        tell(event.text, label="Note", style="yellow")


def with_options(shared: type[Any], work: Callable[..., int | None]) -> Callable[..., None]:
    """Make a command of ``work``, whose first argument, ``link``, is a ``shared`` made of the options that are its fields.

    ``shared`` is a dataclass whose annotations are typer's. ``work`` returns the exit code, None for success.
    """
    names = [field.name for field in fields(shared)]

    def command(**given: Any) -> None:
        link = shared(**{name: given.pop(name) for name in names})
        raise typer.Exit(work(link, **given) or 0)

    hints = get_type_hints(work, include_extras=True)
    types = get_type_hints(shared, include_extras=True)
    own = [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(work).parameters.items()
        if name != "link"
    ]
    others = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=types[field.name]
        )
        for field in fields(shared)
    ]
    command.__signature__ = inspect.Signature([*own, *others])  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *others)}
    command.__name__, command.__doc__ = work.__name__, work.__doc__
    return command

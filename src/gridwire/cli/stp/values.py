"""What is written on the command line, read as what a call of STP takes. A mistake is told before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import ParamSpec, TypeVar

from gridwire import units
from gridwire.errors import InvalidInput

P = ParamSpec("P")
T = TypeVar("T")


def quantity(text: str, option: str = "--quantity") -> int:
    """A count of 1000 Sm3 above 0."""
    if re.fullmatch(r"[1-9][0-9]*", text, re.ASCII) is None:
        raise InvalidInput(
            f"{option} {text!r} is not a whole number above 0: write digits alone, without a point, a separator or a "
            f"leading zero ({option} 155 is 155 x 1000 Sm3). Nothing was sent."
        )
    return int(text[:30])  # thirty digits are refused as too many like any more of them


def number(text: str, option: str) -> int:
    """A whole number of at least 0: one of the venue's ids, or a limit."""
    if re.fullmatch(r"[0-9]+", text, re.ASCII) is None:
        raise InvalidInput(f"{option} {text!r} is not a whole number: write digits alone. Nothing was sent.")
    return int(text[:30])


def amount(text: str, option: str, unit: str) -> str:
    """An amount of money or a price, as it was written; two decimals at most."""
    try:
        units.price(text, unit=unit, name=option)
    except InvalidInput as error:
        raise InvalidInput(f"{error} Nothing was sent.") from None
    return text


def moment(text: str, option: str) -> datetime:
    """A moment with its offset."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidInput(
            f"{option} {text} is not a moment: write date, time and offset, like 2026-12-01T14:00+03:00. Nothing was sent."
        )
    return found


def maybe_moment(text: str | None, option: str) -> datetime | None:
    """The same for an option that may be left out."""
    return None if text is None else moment(text, option)


def day(text: str, option: str) -> date:
    """A gas day."""
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) is None:
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{option} {text} is not a day: write it like 2026-12-01. Nothing was sent.") from None


def parts(text: str, option: str, names: str) -> list[str]:
    """The fields of an entry that is written as ``names``, with commas."""
    found = [part.strip() for part in text.split(",")]
    if len(found) != len(names.split(",")) or not all(found):
        raise InvalidInput(f"{option} {text!r} is not of the form {names}. Nothing was sent.")
    return found


def checked(make: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What ``make`` makes of an entry's values; its complaint says that nothing was sent."""
    try:
        return make(*arguments, **named)
    except InvalidInput as error:
        raise InvalidInput(f"{error} Nothing was sent.") from None

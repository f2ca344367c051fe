"""What commands write: results to stdout, everything else to stderr, and text of a venue never as it came.

On a terminal tables are styled and fitted to its width; in a pipe they are plain aligned text of any width. Numbers are
never wrapped or cut: what does not fit is left out by column, and said so.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import os
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from gridwire.observe.redact import mask

_PIPE_WIDTH = 10_000
_GAP = 2


class ReaderGone(Exception):
    """Whoever read our stdout has closed it (``… | head``)."""


class StdoutFull(Exception):
    """What stdout leads to takes nothing (more): a full disk, or nothing at all. The text says why.

    ``then`` says what that means for what was to be written, where a command knows it.
    """

    def __init__(self, why: str, then: str = "") -> None:
        super().__init__(why)
        self.then = then


@dataclass(frozen=True, slots=True)
class Column:
    """One column. Those with a ``spare`` above 0 may be left out where room is short, the highest first."""

    title: str
    right: bool = False
    spare: int = 0


Row = Sequence[str | Text]


def clean(text: str) -> str:
    """``text`` without what could steer a terminal; tickets and other secrets masked."""
    return mask("".join(letter if letter.isprintable() else "?" for letter in text))


def out(text: str) -> None:
    """Write lines to stdout at once. Raises `ReaderGone` when nobody reads them any more, `StdoutFull` for other trouble."""
    with _stdout():
        print(text, flush=True)


def need_stdout(then: str = "") -> None:
    """Raise `StdoutFull` where stdout was closed before the command began (``>&-``): ``print`` would drop all in silence."""
    if sys.stdout is None:
        raise StdoutFull("it is closed", then)


@contextlib.contextmanager
def _stdout() -> Iterator[None]:
    need_stdout()
    try:
        yield
    except OSError as error:
        # The interpreter flushes stdout once more at its end; let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, (BrokenPipeError, ConnectionResetError)):  # of a pipe, and of a socket
            raise ReaderGone from None
        raise StdoutFull(error.strerror or type(error).__name__) from None


def out_json(value: object) -> None:
    """Write one line of JSON to stdout."""
    out(json.dumps(plain(value)))


def tell(text: str, *, label: str = "", style: str = "") -> None:
    """Write one paragraph to stderr, wrapped at words on a terminal.

    A text of several lines keeps them. All but the first are set in, so that no foreign text can begin a line of its own.
    """
    screen = console(sys.stderr)
    head = Text(f"{label}: ", style=f"bold {style}") if label else Text()
    first, *others = map(clean, text.splitlines() or [""])
    screen.print(head + Text(first))
    for line in others:
        screen.print(Text(line if line.startswith("  ") else f"  {line}"))


def tell_error(text: str, *, label: str = "Error") -> None:
    """Write an error to stderr: a paragraph, and each further line of its text on a line of its own, indented."""
    first, *more = text.splitlines() or [""]
    tell(first, label=label, style="red")
    for line in more:
        tell(line if line.startswith(" ") else f"  {line}")


def console(file: TextIO | None = None) -> Console:
    """A console on ``file`` (stdout by default) that takes text literally."""
    screen = Console(file=file or sys.stdout, highlight=False, markup=False, emoji=False)
    if not screen.is_terminal:
        screen.width = _PIPE_WIDTH
    return screen


def show(renderable: RenderableType) -> None:
    """Write something rich to stdout, without trailing blanks."""
    screen = console()
    with _stdout(), screen.capture() as captured:  # which writes too, if only the end of a colour
        screen.print(renderable)
    out("\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))


def show_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Write a table to stdout, fitted to the terminal."""
    width = console().width
    kept = fitting(columns, rows, width)
    show(table(columns, rows, width))
    if kept and len(kept) < len(columns):
        left = ", ".join(column.title for index, column in enumerate(columns) if index not in kept)
        tell(f"Left out for want of room: {left}. --json has everything.")


def table(columns: Sequence[Column], rows: Sequence[Row], width: int) -> RenderableType:
    """The rows as a table within ``width`` cells, or one field per line where not even the needed columns fit."""
    kept = fitting(columns, rows, width)
    if not kept:
        return Group(*(_record(columns, row) for row in rows))
    grid = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for index in kept:
        column = columns[index]
        grid.add_column(column.title, justify="right" if column.right else "left", no_wrap=True, overflow="crop")
    for row in rows:
        grid.add_row(*(_text(row[index]) for index in kept))
    return grid


def fitting(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[int]:
    """Which columns fit into ``width`` cells, by index; none if not even those that must be there do."""
    wide = [
        max([cell_len(column.title), *(cell_len(_text(row[index]).plain) for row in rows)])
        for index, column in enumerate(columns)
    ]
    kept = list(range(len(columns)))
    while sum(wide[index] + _GAP for index in kept) - _GAP > width:
        spare = max(kept, key=lambda index: columns[index].spare)
        if not columns[spare].spare:
            return []
        kept.remove(spare)
    return kept


def _record(columns: Sequence[Column], row: Row) -> Text:
    cells = [(column.title, _text(cell)) for column, cell in zip(columns, row, strict=True)]
    lines = [Text.assemble((f"{title}: ", "bold"), cell) for title, cell in cells if cell.plain]
    return Text("\n").join([*lines, Text()])


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(clean(cell))


def plain(value: Any, zone: str = "Europe/Istanbul") -> Any:
    """``value`` as JSON can carry it: decimals as strings, instants in ISO with the offset of ``zone``, days as dates.

    Of a model the documented fields are taken, not what else the venue may have sent.
    """
    from pydantic import BaseModel  # here, because help needs no pydantic

    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name), zone) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(name): plain(item, zone) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, zone) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(ZoneInfo(zone)).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return plain(value.value, zone) if isinstance(value, Enum) else value


def price(value: Decimal | None) -> str:
    """A price with at least two decimals; ``-`` for none."""
    if value is None:
        return "-"
    exponent = value.as_tuple().exponent
    return format(value, ".2f") if isinstance(exponent, int) and exponent > -2 else format(value, "f")


def count(value: int | None) -> str:
    """A quantity; ``-`` for none."""
    return "-" if value is None else str(value)


def local(value: datetime | None, form: str = "%Y-%m-%d %H:%M", zone: str = "Europe/Istanbul") -> str:
    """An instant in ``zone``; ``-`` for none."""
    return "-" if value is None else value.astimezone(ZoneInfo(zone)).strftime(form)


_LATIN = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        [
            "a",
            "b",
            "v",
            "g",
            "d",
            "e",
            "yo",
            "zh",
            "z",
            "i",
            "j",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "kh",
            "ts",
            "ch",
            "sh",
            "shh",
            "''",
            "y",
            "'",
            "e",
            "yu",
            "ya",
        ],
        strict=True,
    )
) | {"«": '"', "»": '"', "№": "No.", "…": "...", "ı": "i", "—": "-"}


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """Letters that a terminal does not have, in those it has: Cyrillic by sound, accents left out, else a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    spelled = ""
    for letter in error.object[error.start : error.end]:
        latin = _LATIN.get(letter.lower()) or unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
        spelled += (latin.capitalize() if letter.isupper() else latin) or "?"
    return spelled, error.end


def readable() -> None:
    """Let no letter end a command: what the terminal's encoding lacks is spelled in what it has."""
    codecs.register_error("gridwire.spelled", _spelled)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="gridwire.spelled")

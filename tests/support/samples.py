"""Python samples of the documentation, found and run as a reader would run them.

A fenced ``python`` block is a whole program. A comment on the line before its fence may say otherwise::

    <!-- sample: in a client -->            `box` (a running sandbox) and `stp` (an open client on it) are there already
    <!-- sample: not run, because … -->     shown only; the reason is for whoever edits the page
"""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from types import CodeType
from typing import Any, Literal

Kind = Literal["program", "in a client", "not run"]

IN_A_CLIENT = """\
from gridwire import Accepted, Rejected, Unknown
from gridwire.epias_stp import EpiasStp
from gridwire.sandbox import Sandbox
async with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp) as stp:
"""

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*).*$")
_MARKER = re.compile(r"^ *<!-- sample: (?P<what>.*?) -->$")


@dataclass(frozen=True)
class Sample:
    """One block. ``line`` is that of its first line of code."""

    page: str
    line: int
    kind: Kind
    code: str

    def compiled(self) -> CodeType:
        """The block as code whose line numbers are those of the page."""
        lead = IN_A_CLIENT if self.kind == "in a client" else ""
        body = indent(self.code, "    ") if lead else self.code
        tree = ast.parse(lead + body, self.page)
        ast.increment_lineno(tree, self.line - 1 - lead.count("\n"))
        code: CodeType = compile(tree, self.page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        return code

    def run(self) -> dict[str, Any]:
        """Run the block on a real event loop and real sockets. Returns the names it left behind."""
        names: dict[str, Any] = {"__name__": "__main__"}
        coroutine = eval(self.compiled(), names)  # noqa: S307 - our own documentation
        if coroutine is not None:
            asyncio.run(asyncio.wait_for(coroutine, timeout=20))
        return names


def samples_in(page: str, text: str) -> Iterator[Sample]:
    """Every Python block of ``text``. Raises `ValueError` for a marker nobody knows and for a fence left open."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        number += 1
        if fence is None:
            continue
        opened = number
        while number < len(lines) and lines[number].strip() != "```":
            number += 1
        if number == len(lines):
            raise ValueError(f"{page}:{opened}: this block is never closed")
        if fence["language"] in ("python", "py"):
            code = dedent("\n".join(lines[opened:number])) + "\n"
            yield Sample(page, opened + 1, _kind(page, lines, opened), code)
        number += 1


def _kind(page: str, lines: list[str], opened: int) -> Kind:
    marker = _MARKER.match(lines[opened - 2]) if opened >= 2 else None
    if marker is None:
        return "program"
    if marker["what"] == "in a client":
        return "in a client"
    if re.fullmatch(r"not run, because .{10,}", marker["what"]):
        return "not run"
    raise ValueError(f"{page}:{opened - 1}: unknown marker {marker['what']!r}")


def samples_of(path: Path, root: Path) -> list[Sample]:
    """Every Python block of one page."""
    return list(samples_in(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")))

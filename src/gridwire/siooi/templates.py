"""Templates of a profile: text with holes like ``{form_code}`` or ``{session.sid}``. Pure functions.

``{{`` and ``}}`` are braces. A hole that nobody fills is found when the profile is loaded, not when a document leaves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def holes(template: str) -> Iterator[str]:
    """The names of the holes in ``template``. Raises `ValueError` for a brace that stands alone."""
    for part in _PART.finditer(template):
        if part[1] is not None:
            yield part[1]
        elif part[0] in ("{", "}"):
            raise ValueError(f"{template!r} has a single {part[0]!r}; a brace that is meant is written twice")


def constant(template: str) -> str:
    """The text of ``template`` around its holes."""
    return _PART.sub(lambda part: "" if part[1] is not None else part[0][0], template)


def fill(template: str, values: Mapping[str, str], quote: Callable[[str], str] = str) -> str:
    """``template`` with ``values`` in its holes, each quoted by ``quote``; the text around them is left as it is."""

    def put(part: re.Match[str]) -> str:
        return quote(values[part[1]]) if part[1] is not None else part[0][0]

    return _PART.sub(put, template)

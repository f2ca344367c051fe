"""Looking into a document by XPath 1.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree

from gridwire.transport.xml.elements import Element
from gridwire.transport.xml.namespaces import NO_URI, is_readable


class XPath:
    """An XPath 1.0 expression, compiled once. Raises `ValueError` for one that cannot be compiled."""

    def __init__(self, expression: str, namespaces: Mapping[str, str] | None = None) -> None:
        self._said = expression, dict(namespaces or {})
        for prefix, name in self._said[1].items():
            if not is_readable(name):
                raise ValueError(f"the namespace of {prefix} is {name!r}, which is {NO_URI}")
        try:
            self._run = etree.XPath(expression, namespaces=dict(namespaces or {}), smart_strings=False)
        except (etree.XPathError, ValueError, TypeError) as error:
            raise ValueError(f"{expression!r} is not an XPath expression: {error}") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, XPath) and self._said == other._said

    def __hash__(self) -> int:
        return hash(self._said[0])

    def texts(self, root: Element) -> list[str]:
        """What it selects from ``root``, as text: of an element all the text in it."""
        found = self._found(root)
        return [one if isinstance(one, str) else "".join(one.itertext()) for one in found]

    def elements(self, root: Element) -> list[Element]:
        """The elements it selects from ``root``."""
        return [one for one in self._found(root) if not isinstance(one, str)]

    def _found(self, root: Element) -> list[Any]:
        try:
            found = self._run(root)
        except etree.XPathError:  # a prefix nobody declared
            return []
        if isinstance(found, bool):
            return ["true" if found else "false"]
        if isinstance(found, float):
            return [str(int(found)) if found.is_integer() else repr(found)]
        return list(found) if isinstance(found, list) else [found]

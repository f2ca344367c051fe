"""Schemas (XSD) from one folder, and from nowhere else.

A schema may draw in others. Each is read here, its references are checked and given numbers, and the schema library sees
only texts from memory under these numbers: it opens no file and no connection, whatever a schema asks for.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lxml import etree

from gridwire.errors import ConfigurationError
from gridwire.transport.xml.elements import Element
from gridwire.transport.xml.faults import MOST_FAULTS, Fault
from gridwire.transport.xml.hardened import declares_a_type, encoding_of, parser

MAX_SCHEMA_BYTES = 8 * 1024 * 1024
MOST_FILES = 500
_XS = "{http://www.w3.org/2001/XMLSchema}"
_REFERENCES = tuple(f"{_XS}{name}" for name in ("include", "import", "redefine", "override"))
_FORM_CODE = re.compile(r"\w[\w.-]{0,99}")


class Schema:
    """A compiled schema. It can be used from any number of threads."""

    def __init__(self, name: str, compiled: Any) -> None:
        self.name = name
        self.compiled = compiled
        self._one_at_a_time = threading.Lock()  # the library keeps the last faults in the schema itself

    def faults(self, root: Element) -> list[Fault]:
        """What a whole tree breaks, in document order. Columns are not known."""
        with self._one_at_a_time:
            if self.compiled.validate(root):
                return []
            log = list(self.compiled.error_log)
        return [
            Fault(entry.line, None, entry.path or "", entry.type_name, entry.message) for entry in log[:MOST_FAULTS]
        ]


class Schemas:
    """The schemas of a folder: ``{form_code}.xsd`` for each form, and what these draw in from the same folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, tuple[_Files, Schema]] = {}

    def get(self, form_code: str) -> Schema:
        """The schema of a form, compiled anew when one of its files has changed. Reads files: call it in a thread.

        Raises `ConfigurationError` where there is none, where it cannot be compiled, or where it draws in anything that
        does not lie in the folder: another folder, an address, a link that leads out.
        """
        if not _FORM_CODE.fullmatch(form_code):
            raise ConfigurationError(
                f"Form code {form_code!r} cannot name a schema: letters, digits, dots and dashes can. Nothing was sent."
            )
        made = self._made.get(form_code)
        if made is not None and made[0].are_as_before():
            return made[1]
        files = _Files(self._folder)
        try:
            main = files.read(f"{form_code}.xsd", by=None)
            schema = Schema(f"{form_code}.xsd", files.compile(main))
        except etree.LxmlError as error:
            raise ConfigurationError(
                f"The schema {form_code}.xsd in {self._folder} cannot be used: {error}. Nothing was sent."
            ) from None
        self._made[form_code] = files, schema
        return schema


class _Files(etree.Resolver):
    """The files of one schema, read and checked, under numbers of ours. As a resolver it knows these and nothing else."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder.resolve()
        self._number: dict[Path, int] = {}
        self._texts: dict[str, bytes] = {}
        self._stamps: dict[Path, tuple[int, int]] = {}

    def are_as_before(self) -> bool:
        """Whether every file is there and has not been written since."""
        try:
            return all(_stamp(path) == stamp for path, stamp in self._stamps.items())
        except OSError:
            return False

    def read(self, location: str, *, by: Path | None) -> str:
        """Read the file ``location``, seen from the file ``by``, and all it draws in. Returns the address it has here."""
        path = self._place(location, by)
        if path in self._number:
            return _address(self._number[path])
        if len(self._number) == MOST_FILES:
            raise _refused(location, by, f"the schema has more than {MOST_FILES} files")
        self._number[path] = number = len(self._number) + 1
        try:
            self._stamps[path] = _stamp(path)
            if self._stamps[path][1] > MAX_SCHEMA_BYTES:
                raise _refused(location, by, f"it is larger than {MAX_SCHEMA_BYTES} bytes")
            data = path.read_bytes()
        except OSError as error:
            raise _refused(location, by, f"it cannot be read ({error.strerror})") from None
        if encoding_of(data) is None:
            raise _refused(location, by, "it is neither in UTF-8 nor in windows-1251")
        if declares_a_type(data):
            raise _refused(location, by, "it carries a document type declaration")
        root = etree.fromstring(data, parser())
        for reference in root.iterchildren(*_REFERENCES):
            wanted = reference.get("schemaLocation")
            if wanted is not None:
                reference.set("schemaLocation", self.read(wanted, by=path))
        self._texts[_address(number)] = etree.tostring(root)
        return _address(number)

    def _place(self, location: str, by: Path | None) -> Path:
        parts = urlsplit(location)
        name = unquote(parts.path)
        if parts.scheme or parts.netloc or parts.query or not name or "\\" in name or name.startswith("/"):
            raise _refused(location, by, "only files beside it can be drawn in, by a relative name")
        try:
            path = ((by.parent if by is not None else self._folder) / name).resolve()
        except (OSError, ValueError, RuntimeError):  # a loop of links, a NUL
            raise _refused(location, by, "that is no name of a file") from None
        if not path.is_relative_to(self._folder):
            raise _refused(location, by, f"it lies outside the folder {self._folder}")
        return path

    def compile(self, address: str) -> Any:
        """The schema that begins at ``address``."""
        reader = parser()
        reader.resolvers.add(self)
        return etree.XMLSchema(etree.fromstring(self._texts[address], reader, base_url=address))

    def resolve(self, system_url: str, public_id: str | None, context: Any) -> Any:  # type: ignore[override]
        """The text under one of our numbers. Whatever else is asked for ends the compilation."""
        return self.resolve_string(self._texts[system_url], context, base_url=system_url)


def _refused(location: str, by: Path | None, why: str) -> ConfigurationError:
    drawn = f", which {by.name} draws in," if by is not None else ""
    return ConfigurationError(f"The schema file {location}{drawn} was not read: {why}. Nothing was sent.")


def _address(number: int) -> str:
    return f"gridwire-schema:///{number}.xsd"


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size

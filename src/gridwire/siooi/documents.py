"""A document before it is sent: read, held against its form's schema, hashed. Off the loop, and no byte leaves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from gridwire.errors import ConfigurationError, InvalidInput
from gridwire.intents.upload_records import Document
from gridwire.settings import expanded
from gridwire.siooi.profile import Profile, charset_named
from gridwire.transport import xml

_FORM_CODE = re.compile(r"\w[\w.-]*")
"""It names a file and stands in addresses, with a schema or without."""
_MOST_BYTES = 200


class Checker:
    """Checks the documents of one client. ``schemas`` is the folder with ``{form_code}.xsd``, or None."""

    def __init__(self, profile: Profile, account: str, schemas: Path | None) -> None:
        self._profile = profile
        self._account = account
        self._folder = schemas
        self._schemas = None if schemas is None else xml.Schemas(schemas)

    async def check(
        self,
        source: bytes | str | Path | xml.Element,
        *,
        form_code: str,
        object_key: str,
        period: str,
        venue: str,
        allow_unvalidated: bool,
        on_progress: Callable[[int, int], None] | None,
    ) -> tuple[Document, bytes, bool]:
        """What the journal will know of the document, its bytes, and whether it was held against a schema.

        Raises `InvalidInput` (with faults as `gridwire.transport.xml.DocumentRefused`) for what cannot be right.
        """
        for name, value in (("form_code", form_code), ("object_key", object_key), ("period", period)):
            if not isinstance(value, str):
                raise InvalidInput(f"{name} must be text, not {type(value).__name__}. Nothing was sent.")
        if not _FORM_CODE.fullmatch(form_code) or len(form_code.encode()) > _MOST_BYTES:
            raise InvalidInput(
                f"form_code={form_code[:50]!r} cannot be a form's code: letters, digits, dots and dashes, beginning with a letter "
                f"or a digit, and at most {_MOST_BYTES} bytes. Nothing was sent."
            )
        return await asyncio.to_thread(
            self._check, source, form_code, object_key, period, venue, allow_unvalidated, on_progress
        )

    def _check(
        self,
        source: bytes | str | Path | xml.Element,
        form_code: str,
        object_key: str,
        period: str,
        venue: str,
        allow_unvalidated: bool,
        on_progress: Callable[[int, int], None] | None,
    ) -> tuple[Document, bytes, bool]:
        most = self._profile.limits.max_file_bytes
        content = _content(source, most)
        schema = self._schema(form_code, allow_unvalidated)
        found = xml.inspect(content, schema=schema, max_bytes=most, progress=on_progress)
        self._check_media_type(found.encoding)
        document = Document(
            venue=venue,
            account=self._account,
            form=form_code,
            object_key=object_key,
            period=period,
            exact_sha256=found.exact_sha256,
            canonical_sha256=found.canonical_sha256,
            size_bytes=found.size_bytes,
        )
        return document, content, schema is not None

    def _check_media_type(self, encoding: str) -> None:
        """Its receiver believes the charset of the media type, and not the document (RFC 7303 section 3)."""
        send = self._profile.send
        named = charset_named(send.file.content_type) if send.body in ("multipart", "raw_xml") else None
        if named is not None and named.lower() != encoding.lower():
            raise InvalidInput(
                f"The document is in {encoding}, and send.file.content_type of the profile says {named}: its receiver would see "
                f"other letters than were written. Save the document in {named}, or correct the profile. Nothing was sent."
            )

    def _schema(self, form_code: str, allow_unvalidated: bool) -> xml.Schema | None:
        if self._schemas is not None and self._folder is not None and (self._folder / f"{form_code}.xsd").exists():
            return self._schemas.get(form_code)
        if not allow_unvalidated:
            where = (
                "no folder of schemas was given"
                if self._folder is None
                else f"the folder {self._folder} does not hold it"
            )
            raise InvalidInput(
                f"There is no schema {form_code}.xsd to hold the document against: {where}. Ask the venue's support for it. "
                "Nothing was sent. allow_unvalidated=True (--allow-unvalidated) sends without, at the risk of loading a wrong document "
                "that only support can delete."
            )
        return None


def _content(source: bytes | str | Path | xml.Element, most: int) -> bytes:
    if isinstance(source, (bytes, bytearray)):
        return bytes(source)
    if isinstance(source, (str, Path)):
        try:
            with expanded(source, "xml").open("rb") as file:
                return file.read(most + 1)
        except ConfigurationError as error:
            raise InvalidInput(str(error)) from None
        except OSError as error:
            raise InvalidInput(f"{str(source)!r} cannot be read ({error.strerror}). Nothing was sent.") from None
    try:
        return xml.serialise(source)
    except TypeError:
        raise InvalidInput(
            f"A document is bytes, the path of its file, or an element, not a {type(source).__name__}. Nothing was sent."
        ) from None

"""One HTTP exchange as plain values, and conversations written as generators.

A *flow* is a generator that yields `Request` objects, is sent the matching `Response` objects, and returns what the
conversation was for. It does no I/O, so a test drives it with plain values and any shell can run it::

    def login(...) -> Flow[str]:
        response = yield Request("POST", url, content=body)
        return ticket_in(response)
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias, TypeVar

from gridwire.errors import TransportError
from gridwire.transport import decoding

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """A request ready for the wire. ``url`` may hold a ticket in its path, so it stays out of ``repr``."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer. Header names are lower case; bodies may hold tickets, so they stay out of ``repr``."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)

    @property
    def media_type(self) -> str:
        """The media type alone, lower case, without parameters; empty if the answer named none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str | None:
        """The character set that the answer names in its Content-Type; None if it names none."""
        return decoding.charset_of(self.headers.get("content-type", ""))

    def text(self, *, last: str | None = None, errors: str = "strict") -> str:
        """The body as text; see `gridwire.transport.decoding`. Raises `UnicodeDecodeError`."""
        return decoding.decoded(self.content, self.charset, last=last, errors=errors)

    def json(self, *, last: str | None = None, **options: Any) -> Any:
        """The value of a JSON body, also with raw line breaks within its texts. Raises `ValueError` or `RecursionError`."""
        return json.loads(self.text(last=last), strict=False, **options)

    @property
    def date(self) -> datetime | None:
        """The other side's clock by its ``Date`` header, aware; None if it tells none (RFC 9110 section 6.6.1)."""
        try:
            moment = parsedate_to_datetime(self.headers.get("date", ""))
        except (ValueError, OverflowError):
            return None
        return moment if moment.tzinfo is not None else None  # an old date format that names no zone


Flow: TypeAlias = Generator[Request, Response, T]
Send: TypeAlias = Callable[[Request], Awaitable[Response]]


async def run_flow(flow: Flow[T], send: Send) -> T:
    """Run ``flow`` over ``send``. A `TransportError` of the shell is thrown into the flow, which may handle it."""
    try:
        request = next(flow)
        while True:
            try:
                response = await send(request)
            except TransportError as error:
                request = flow.throw(error)
            else:
                request = flow.send(response)
    except StopIteration as done:
        result: T = done.value
        return result

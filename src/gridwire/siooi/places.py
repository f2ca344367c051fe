"""Where in an answer something stands, and the reading of it. Pure functions.

A place is a table with one key: ``cookie``, ``header``, ``json`` (a JSON pointer, RFC 6901), ``xpath`` (with
``namespaces``), ``body`` (the whole of it) or ``regex`` (its first group, or the whole match). What is not there, or in a
body that cannot be read, is None: only rules that somebody wrote down decide what an answer means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from gridwire.errors import ProtocolError
from gridwire.transport import xml
from gridwire.transport.classify import BodyKind, body_kind
from gridwire.transport.exchange import Response

MAX_ANSWER_BYTES = 5 * 1024 * 1024
"""No answer of login, send or status comes near this; a longer one is not read."""
MOST_ERRORS = 1000

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")


def check_token(value: str) -> str:
    """A name that may stand in a header (RFC 9110 section 5.6.2)."""
    if not _TOKEN.fullmatch(value):
        raise ValueError(f"{value!r} is not a name that a header can carry: letters, digits and - only")
    return value


def _check_pointer(value: str) -> str:
    if not _POINTER.fullmatch(value):
        raise ValueError(f'{value!r} is not a JSON pointer: it begins with a slash, like "/data/token"')
    return value


def _check_regex(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is not a regular expression: {error}") from None
    return value


Token = Annotated[str, AfterValidator(check_token)]
Pointer = Annotated[str, AfterValidator(_check_pointer)]
Regex = Annotated[str, AfterValidator(_check_regex)]


class Strict(BaseModel):
    """A table of a profile: a key that nobody knows is an error, because it is a typing mistake."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)


class Seen:
    """An answer, read in each form at most once, and only when a place asks for it."""

    def __init__(self, response: Response, charset: str = "utf-8") -> None:
        self.response = response
        self._charset = charset

    @cached_property
    def kind(self) -> BodyKind:
        """The form of the body, by its first bytes."""
        return body_kind(self.response)

    @cached_property
    def text(self) -> str | None:
        """The body as text, by what the answer names, UTF-8 or the profile's charset; None if it is in none of them."""
        try:
            return self.response.text(last=self._charset)
        except UnicodeDecodeError:
            return None

    @cached_property
    def json(self) -> Any:
        """The body as JSON, numbers with fractions as text; None if it is none."""
        try:
            return self.response.json(last=self._charset, parse_float=str)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def xml(self) -> xml.Element | None:
        """The root element; None if the body is not XML we are willing to read."""
        if self.kind is not BodyKind.XML:
            return None
        try:
            return xml.parse(
                self.response.content, charset=self.response.charset, last=self._charset, max_bytes=MAX_ANSWER_BYTES
            )
        except ProtocolError:
            return None


_KINDS = ("cookie", "header", "json", "xpath", "body", "regex")


class Place(Strict):
    """One place in an answer."""

    cookie: Token | None = Field(default=None, description='the name of a cookie the answer sets, like "SESSIONID"')
    header: Token | None = Field(default=None, description='the name of a header, like "X-Session"')
    json_: Pointer | None = Field(default=None, alias="json", description='a JSON pointer, like "/data/token"')
    xpath: str | None = Field(default=None, description='an XPath 1.0 expression, like "//s:Token"')
    namespaces: dict[str, str] = Field(default={}, description='prefixes of the xpath, like {s = "urn:example"}')
    body: bool = Field(default=False, description="true for the whole body without white space around it")
    regex: Regex | None = Field(
        default=None, description=r"a regular expression; its first group counts, like 'job=(\d+)'"
    )

    _path: Any = PrivateAttr(None)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in _KINDS if getattr(self, "json_" if kind == "json" else kind)]
        if self.json_ == "":
            given.append("json")
        if len(given) != 1:
            what = " and ".join(given) if given else "nothing"
            raise ValueError(f"it names {what}; it must name exactly one of {', '.join(_KINDS)}")
        if self.namespaces and self.xpath is None:
            raise ValueError("namespaces belong to an xpath, and there is none")
        if self.xpath is not None:
            self._path = xml.XPath(self.xpath, self.namespaces)
        return self

    def find(self, seen: Seen) -> str | None:
        """What stands there, without white space around it; None if nothing does."""
        return next(self._all(seen), None)

    def find_name(self, seen: Seen) -> str | None:
        """The same, for what must be a name or a number: ``"jobId": false`` says that there is none."""
        if self.json_ is not None and isinstance(pointed(seen.json, self.json_), bool):
            return None
        return self.find(seen)

    def _all(self, seen: Seen) -> Iterator[str]:
        for value in self._raw(seen):
            if (text := value.strip()) != "":
                yield text

    def _raw(self, seen: Seen) -> Iterator[str]:
        if self.cookie is not None:
            yield from _cookies(seen.response, self.cookie)
        elif self.header is not None:
            yield seen.response.headers.get(self.header.lower(), "")
        elif self.json_ is not None:
            yield _text(pointed(seen.json, self.json_))
        elif self._path is not None:
            yield from self._path.texts(seen.xml) if seen.xml is not None else ()
        elif self.regex is not None:
            yield from (match[1 if match.re.groups else 0] or "" for match in re.finditer(self.regex, seen.text or ""))
        else:
            yield seen.text or ""


class ErrorList(Strict):
    """Where the errors of a failed job stand: one place that finds them all, and where in each its parts are.

    With ``json`` the parts are JSON pointers within one entry, with ``xpath`` XPaths from one element, and with
    ``regex`` the pattern's named groups ``line``, ``element``, ``code`` and ``message``.
    """

    json_: Pointer | None = Field(default=None, alias="json", description='a pointer to an array, like "/errors"')
    xpath: str | None = Field(default=None, description='an XPath that selects one element per error, like "//s:Error"')
    namespaces: dict[str, str] = Field(default={}, description='prefixes of the xpaths, like {s = "urn:example"}')
    regex: Regex | None = Field(
        default=None, description="a regular expression with named groups that matches once per error"
    )
    line: str | None = Field(default=None, description="where one error's line number is")
    element: str | None = Field(default=None, description="where the name or path of the element at fault is")
    code: str | None = Field(default=None, description="where one error's code is")
    message: str | None = Field(default=None, description="where one error's text is")

    _path: Any = PrivateAttr(None)
    _parts: dict[str, Any] = PrivateAttr({})

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in ("json_", "xpath", "regex") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("it must name exactly one of json, xpath and regex")
        parts = {name: getattr(self, name) for name in PARTS if getattr(self, name) is not None}
        if self.regex is not None:
            named = set(re.compile(self.regex).groupindex)
            if parts or not named or not named <= set(PARTS):
                raise ValueError(f"the parts of a regex are its named groups, (?P<message>…): {', '.join(PARTS)}")
        elif not parts:
            raise ValueError("it says of no part where it is; name message at least")
        if self.xpath is not None:
            self._path = xml.XPath(self.xpath, self.namespaces)
            self._parts = {name: xml.XPath(value, self.namespaces) for name, value in parts.items()}
        elif self.json_ is not None:
            self._parts = {name: _check_pointer(value) for name, value in parts.items()}
        return self

    def find(self, seen: Seen, most: int = MOST_ERRORS) -> list[dict[str, str]]:
        """The first ``most`` errors in their order, each with the parts that are there."""
        parts = ({k: v for k, v in one.items() if v} for one in self._all(seen))
        return list(islice(filter(None, parts), most))

    def _all(self, seen: Seen) -> Iterator[dict[str, str]]:
        if self.json_ is not None:
            rows = pointed(seen.json, self.json_)
            for row in rows if isinstance(rows, list) else ():
                yield {name: _text(pointed(row, at)).strip() for name, at in self._parts.items()}
        elif self._path is not None:
            for element in self._path.elements(seen.xml) if seen.xml is not None else ():
                yield {name: next(iter(at.texts(element)), "").strip() for name, at in self._parts.items()}
        else:
            for match in re.finditer(self.regex or "", seen.text or ""):
                yield {name: (value or "").strip() for name, value in match.groupdict().items()}


PARTS = ("line", "element", "code", "message")


def pointed(value: Any, pointer: str) -> Any:
    """What a JSON pointer leads to; None if it leads nowhere."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and re.fullmatch(r"0|[1-9][0-9]{0,8}", name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _text(value: Any) -> str:
    """A scalar as text; nothing for what is none. Half a character, which JSON can spell and no file can hold, is a ``?``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).encode("utf-8", "replace").decode("utf-8") if isinstance(value, (str, int)) else ""


def _cookies(response: Response, name: str) -> Iterator[str]:
    """Values of a cookie; several Set-Cookie headers come joined by commas, which no value holds (RFC 6265)."""
    found = re.findall(rf"(?:^|,)\s*{re.escape(name)}=([^;,]*)", response.headers.get("set-cookie", ""))
    yield from reversed(found)

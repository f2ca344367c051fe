"""The wire of АС СиОИ as its user knows it from the venue's support: a profile, checked whole when it is loaded.

The venue tells its addresses, field names and codes on request only (API description 2.0, "Описание запросов"), so nothing
of the wire is built in and no host is shipped. What a profile leaves open is never guessed: an answer that no rule of it
names makes an upload `Unknown`. See docs/protocols/siooi.md for every field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gridwire.siooi.enums import JobState, ResultCode
from gridwire.siooi.lifetimes import Lifetime
from gridwire.siooi.places import ErrorList, Place, Strict, Token
from gridwire.siooi.templates import holes
from gridwire.transport import xml
from gridwire.transport.tls import is_loopback

MIB = 1024 * 1024
Charset: TypeAlias = Literal["utf-8", "windows-1251"]
Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
LoginBody: TypeAlias = Literal["json", "form", "multipart", "xml", "soap", "basic"]
SendBody: TypeAlias = Literal["multipart", "raw_xml", "base64_json", "xml", "soap"]
PlainBody: TypeAlias = Literal["none", "json", "form", "xml", "soap"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
ELEMENT_RULE = "letters of any script, digits, dots, - and _, beginning with a letter or _"
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:\s*;.*)?")
_CHARSET = re.compile(r"charset\s*=\s*\"?([^\s\";]+)", re.IGNORECASE)


def _check_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a name: letters, digits, - and _, beginning with a letter")
    return value


def _check_element(value: str) -> str:
    if not xml.is_name(value):
        raise ValueError(f"{value!r} is not a name that an XML element can have: {ELEMENT_RULE}")
    return value


def _check_path(value: str) -> str:
    if not value.startswith("/") or set("?#") & set(value) or any(letter.isspace() for letter in value):
        raise ValueError(
            f"{value!r} is not a path: it begins with / and holds no ?, no # and no blank; use query for those"
        )
    return value


def _check_template(value: str) -> str:
    list(holes(value))
    return value


def _check_media_type(value: str) -> str:
    named = charset_named(value)
    if not _MEDIA_TYPE.fullmatch(value) or not (value.isascii() and value.isprintable()):
        raise ValueError(f'{value!r} is not a media type, like "application/xml" or "text/xml; charset=utf-8"')
    if named is not None and named.lower() not in get_args(Charset):
        raise ValueError(f"{value!r} names a charset in which no document is sent; it may be utf-8 or windows-1251")
    return value


def charset_named(media_type: str) -> str | None:
    """The charset that a media type names; None where it names none."""
    found = _CHARSET.search(media_type)
    return None if found is None else found[1]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, (str, int)) else value


def _as_text(value: Any) -> Any:
    """Codes are compared as text; TOML writes some as numbers."""
    if isinstance(value, list):
        return [_as_text(one) for one in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Name = Annotated[str, AfterValidator(_check_name)]
ElementName = Annotated[str, AfterValidator(_check_element)]
MediaType = Annotated[str, AfterValidator(_check_media_type)]
Template = Annotated[str, AfterValidator(_check_template)]
PathTemplate = Annotated[str, AfterValidator(_check_path), AfterValidator(_check_template)]
Statuses = Annotated[tuple[Annotated[int, Field(ge=200, le=499)], ...], BeforeValidator(_as_list)]
Codes = Annotated[tuple[str, ...], BeforeValidator(_as_text), BeforeValidator(_as_list)]
Raw = Annotated[str, BeforeValidator(_as_text)]


class Tls(Strict):
    """How the venue's certificate is checked. It cannot be switched off."""

    ca_bundle: str | None = Field(default=None, description="path of a PEM file with the authorities to trust")
    client_cert: str | None = Field(default=None, description="path of a PEM file with our certificate and its key")
    min_version: Literal["1.2", "1.3"] = Field(default="1.2", description='the oldest TLS to speak, "1.2" or "1.3"')


class Rule(Strict):
    """An answer with one of these statuses and one of these codes; what is left out is not looked at."""

    status: Statuses = Field(default=(), description="HTTP statuses, like 200 or [200, 202]")
    code: Codes = Field(default=(), description='values of result_code, like "0" or ["0", "OK"]')

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.status and not self.code:
            raise ValueError("an empty rule would fit every answer; name a status, a code, or both")
        return self

    def fits(self, status: int, code: str | None) -> bool:
        """Whether an answer is one of those."""
        return (not self.status or status in self.status) and (not self.code or code in self.code)


class XmlShape(Strict):
    """The element around the fields of an ``xml`` or ``soap`` body."""

    root: ElementName = Field(description='the element that holds the fields, like "SendDocument"')
    namespace: str = Field(default="", description='its namespace, like "urn:example"; empty for none')
    qualified: bool = Field(default=True, description="whether the fields are in that namespace too")
    soap: Literal["1.1", "1.2"] = Field(default="1.1", description='the version of the envelope, "1.1" or "1.2"')
    action: str | None = Field(default=None, description="the SOAPAction, without quotes")


class Call(Strict):
    """What all requests have in common. Values of query, headers and fields are templates."""

    method: Method = Field(default="POST", description="the HTTP method")
    path: PathTemplate = Field(description='where below base_url, like "/api/login"')
    query: dict[str, Template] = Field(default={}, description='parameters of the address, like {v = "2"}')
    headers: dict[Token, Template] = Field(default={}, description='headers, like {"X-Client" = "gridwire"}')
    fields: dict[str, Template] = Field(
        default={},
        description='fields of the body by name, like {login = "{login}"}; a / in a name goes one level deeper',
    )
    charset: Charset | None = Field(
        default=None,
        description="the encoding of this request, JSON and Basic authentication too; that of the profile unless set",
    )
    answer_charset: Charset | None = Field(
        default=None, description="the encoding of its answer, where that names none; that of the profile unless set"
    )
    shape: XmlShape | None = Field(default=None, description="the element around the fields; needed for xml and soap")
    result_code: Place | None = Field(default=None, description="where the venue's code stands in the answer")
    result_text: Place | None = Field(default=None, description="where its explanation stands in the answer")

    def templates(self) -> Iterator[tuple[str, str]]:
        """Every template with the path of its field."""
        yield "path", self.path
        for name in ("query", "headers", "fields"):
            yield from ((f"{name}.{key}", value) for key, value in getattr(self, name).items())


class LoginCall(Call):
    """The login. It may use ``{login}`` and ``{password}``."""

    body: LoginBody = Field(description="the form of the request: json, form, multipart, xml, soap or basic")
    accepted_when: tuple[Rule, ...] = Field(
        default=(), description="answers that are a login; if empty, any 2xx with a session that is no page of HTML"
    )
    refused_when: tuple[Rule, ...] = Field(default=(), description="answers that refuse login or password for good")
    lifetime: Lifetime | None = Field(
        default=None, description='where the answer says how long the session lives, like {json = "/expiresIn"}'
    )


class FilePart(Strict):
    """How the document travels."""

    field: str | None = Field(default=None, description="the field that carries it; none for raw_xml")
    name: Template = Field(default="{form_code}.xml", description="its file name in a multipart body")
    content_type: MediaType = Field(default="application/xml", description="its media type in a multipart or raw body")
    encoding: Literal["base64", "text"] = Field(default="base64", description="how it stands in an xml or soap field")


class SendCall(Call):
    """The upload.

    It may use ``{form_code}``, ``{object_key}``, ``{period}``, ``{session.NAME}``, ``{document.size}`` and digests of the
    document, like ``{document.sha256.hex}``.
    """

    body: SendBody = Field(description="the form of the request: multipart, raw_xml, base64_json, xml or soap")
    file: FilePart = Field(description="how the document travels")
    job_id: Place = Field(description="where the job id stands in the answer")
    queued_when: tuple[Rule, ...] = Field(min_length=1, description="answers that mean the document is in the queue")
    refused_when: tuple[Rule, ...] = Field(
        default=(), description="answers that mean it is certainly not; each names a code"
    )


class StatusCall(Call):
    """The question about a job. It may use ``{job_id}``, ``{form_code}`` and ``{session.NAME}``."""

    method: Method = Field(default="GET", description="the HTTP method")
    body: PlainBody = Field(default="none", description="the form of the request: none, json, form, xml or soap")
    state: Place = Field(description="where the job's state stands in the answer")
    document_status: Place | None = Field(
        default=None, description="where the document's own status stands, like «Подписан»"
    )
    errors: ErrorList | None = Field(default=None, description="where the errors of a failed job stand")


class LogoutCall(Call):
    """The end of a session, where the venue has a call for it."""

    body: PlainBody = Field(default="none", description="the form of the request: none, json, form, xml or soap")


class Injection(Strict):
    """Where a session value goes in later requests."""

    cookie: Token | None = Field(default=None, description="the cookie that carries it")
    header: Token | None = Field(default=None, description='the header that carries it, like "Authorization"')
    template: str = Field(default="{v}", description='what the header holds, like "Bearer {v}"')
    query: str | None = Field(default=None, description="the parameter of the address that carries it")
    field: str | None = Field(default=None, description="the field of the body that carries it")
    path: bool = Field(default=False, description="true if a path names it as {session.NAME}")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("cookie", "header", "query", "field", "path") if getattr(self, name)]
        if len(ways) != 1:
            raise ValueError("it must name exactly one of cookie, header, query, field and path")
        if not (self.template.isascii() and self.template.isprintable()):
            raise ValueError("template holds a letter that a header cannot carry: printable ones of ASCII only")
        if list(holes(self.template)) != ["v"]:
            raise ValueError(
                f'template is {self.template!r}; it must hold {{v}} once and no other hole, like "Bearer {{v}}"'
            )
        return self


class Carrier(Strict):
    """One value that a login gives and later requests carry (API description 2.0: "служебная информация")."""

    name: Name = Field(description="how the profile calls it, for {session.NAME}")
    extract: Place = Field(description="where it stands in the login's answer")
    inject: Injection | None = Field(
        default=None, description="where it goes in all later requests; none if templates name it as {session.NAME}"
    )


class Limits(Strict):
    """What the venue can take. The defaults are guesses."""

    max_file_bytes: int = Field(default=20 * MIB, gt=0, description="the largest document, in bytes")
    min_send_interval_s: float = Field(
        default=1.0, ge=0, le=3600, description="seconds between two uploads of one client"
    )


class Profile(Strict):
    """How one installation of the venue is spoken to. Made by `gridwire.siooi.load_profile`, from TOML or JSON."""

    name: Name = Field(description="a short name; it stands in the journal")
    confirmed: bool = Field(
        default=False, description="true once a person has checked it against the letter from support"
    )
    source_note: str = Field(default="", description="which letter it is from, and who checked it")
    base_url: str = Field(description='where the venue is, like "https://host.example/api"')
    charset: Charset = Field(default="utf-8", description="the encoding of form fields and text answers")
    tls: Tls = Field(default=Tls(), description="certificates")
    login: LoginCall = Field(description="the request that logs in")
    session: tuple[Carrier, ...] = Field(min_length=1, description="what a login gives and where it goes")
    session_ttl_s: float = Field(
        default=600.0,
        gt=0,
        description="how long a session lives, in seconds, where its login does not say; a guess unless set",
    )
    relogin_margin_s: float = Field(default=60.0, ge=0, description="log in again this long before its end, in seconds")
    send: SendCall = Field(description="the request that uploads a document")
    status: StatusCall = Field(description="the request that asks about a job")
    logout: LogoutCall | None = Field(default=None, description="the request that ends a session")
    result_codes: dict[Raw, ResultCode] = Field(default={}, description="the venue's codes and what they mean")
    job_states: dict[Raw, JobState] = Field(default={}, description="the venue's job states and what they mean")
    http_codes: dict[Raw, ResultCode] = Field(
        default={"401": ResultCode.SESSION_EXPIRED, "403": ResultCode.NO_ROLE},
        description="what an HTTP status without a known code means to a status call",
    )
    limits: Limits = Field(default=Limits(), description="sizes and pauses")

    @property
    def host(self) -> str:
        """The host of ``base_url``."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_local(self) -> bool:
        """Whether the venue is on this machine."""
        return is_loopback(self.host)

    @property
    def shows_sessions(self) -> bool:
        """Whether a session value stands in the path of a request."""
        return any(hole.startswith("session.") for call in self.calls().values() for hole in holes(call.path))

    def sent_in(self, call: Call) -> Charset:
        """The encoding of a request."""
        return call.charset or self.charset

    def read_in(self, call: Call) -> Charset:
        """The encoding of the answer to it, where that names none."""
        return call.answer_charset or self.charset

    def code(self, raw: str | None) -> ResultCode | None:
        """What a raw code means: None without one, `ResultCode.UNMAPPED` where the profile does not say."""
        return None if raw is None else self.result_codes.get(raw, ResultCode.UNMAPPED)

    def calls(self) -> Mapping[str, LoginCall | SendCall | StatusCall | LogoutCall]:
        """The requests by the name of their section."""
        found: dict[str, LoginCall | SendCall | StatusCall | LogoutCall] = {}
        found.update(login=self.login, send=self.send, status=self.status)
        if self.logout is not None:
            found["logout"] = self.logout
        return found

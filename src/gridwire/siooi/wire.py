"""The four requests and their answers, as a profile describes them. Pure functions.

Requests: login, send, status, logout (API description 2.0 names the first three and their order; the rest is the
profile's). Answers are read into plain values; what they mean is decided in `gridwire.siooi.rules`.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from pydantic import SecretStr

from gridwire.errors import ConfigurationError, InvalidInput
from gridwire.observe.redact import mask
from gridwire.observe.spellings import hide
from gridwire.siooi import bodies, digests
from gridwire.siooi.bodies import Body, Document
from gridwire.siooi.enums import JobState, ResultCode
from gridwire.siooi.models import FileError
from gridwire.siooi.places import Seen
from gridwire.siooi.profile import Call, Carrier, LoginCall, LogoutCall, Profile, SendCall, StatusCall, XmlShape
from gridwire.siooi.templates import fill, holes
from gridwire.transport.classify import BodyKind
from gridwire.transport.exchange import Request, Response

LARGE_ANSWER_BYTES = 64 * 1024
"""An answer over this is read in a thread."""
LONGEST_TEXT = 2000
LONGEST_CODE = 100


@dataclass(frozen=True, slots=True)
class Session:
    """What a login gave, by the names of the profile. Values are secrets: they stay out of ``repr``."""

    values: Mapping[str, str] = field(repr=False)
    number: int = 0
    """Which login of this client it is from."""
    life_s: float | None = None
    """How long it lives from its login on, as that said; None where it did not."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer said, as far as the profile tells where to look."""

    status: int
    kind: BodyKind
    raw_code: str | None
    code: ResultCode | None
    text: str | None
    """The venue's explanation, shortened."""


@dataclass(frozen=True, slots=True)
class SendAnswer:
    """The answer to an upload. ``raw`` of an outcome holds it."""

    said: Said
    job_id: str | None


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """The answer to a question about a job."""

    said: Said
    raw_state: str | None
    state: JobState | None
    """None where the answer holds no state."""
    document_status: str | None
    errors: tuple[FileError, ...]


# ---------------------------------------------------------------------------------------------------------------------
# Requests


def login_request(profile: Profile, login: str, password: SecretStr) -> Request:
    """The login. Raises `InvalidInput` or `ConfigurationError` for what cannot be put on the wire; neither quotes it."""
    call, secret = profile.login, password.get_secret_value()
    if call.body == "basic":
        try:
            both = base64.b64encode(f"{login}:{secret}".encode(call.charset or "utf-8")).decode("ascii")
        except UnicodeEncodeError:  # its text would quote the password
            raise InvalidInput(
                f"Login or password holds half of a character, or a letter that {call.charset or 'utf-8'} does not have. Nothing "
                "was sent."
            ) from None
        return _request(profile, call, {}, {}, None, {"authorization": f"Basic {both}"})
    values = {"login": login, "password": secret}
    return _request(profile, call, values, {}, _plain_body(profile, call, _filled(call.fields, values)))


def send_request(
    profile: Profile, session: Session, *, form_code: str, object_key: str, period: str, content: bytes
) -> Request:
    """The upload. Of a large document, call it off the loop: it encodes what the profile wants encoded."""
    call, charset = profile.send, profile.sent_in(profile.send)
    values = {"form_code": form_code, "object_key": object_key, "period": period} | _named(session)
    templates = [*(template for _, template in call.templates()), call.file.name]
    values |= digests.values((hole for template in templates for hole in holes(template)), content)
    fields = _filled(call.fields, values) | _injected(profile, session, "field")
    if call.body == "raw_xml":
        return _request(profile, call, values, session, Body(call.file.content_type, content))
    document = Document(
        call.file.field or "",
        fill(call.file.name, values),
        call.file.content_type,
        content,
        as_text=call.body in ("xml", "soap") and call.file.encoding == "text",
    )
    if call.body == "multipart":
        body = bodies.multipart(fields, charset, document)
    elif call.body == "base64_json":
        body = bodies.as_json(fields, document, call.charset)
    else:
        body = bodies.as_xml(fields, _shape(call), charset, soap=call.body == "soap", document=document)
    return _request(profile, call, values, session, body)


def status_request(profile: Profile, session: Session, *, job_id: str, form_code: str) -> Request:
    """The question about a job."""
    values = {"job_id": job_id, "form_code": form_code} | _named(session)
    fields = _filled(profile.status.fields, values) | _injected(profile, session, "field")
    return _request(profile, profile.status, values, session, _plain_body(profile, profile.status, fields))


def logout_request(profile: Profile, session: Session) -> Request | None:
    """The end of a session; None where the profile has no call for it."""
    call = profile.logout
    if call is None:
        return None
    values = _named(session)
    fields = _filled(call.fields, values) | (_injected(profile, session, "field") if call.body != "none" else {})
    return _request(profile, call, values, session, _plain_body(profile, call, fields))


def _plain_body(profile: Profile, call: LoginCall | StatusCall | LogoutCall, fields: Mapping[str, str]) -> Body | None:
    charset = profile.sent_in(call)
    if call.body == "json":
        return bodies.as_json(fields, charset=call.charset)
    if call.body == "form":
        return bodies.form(fields, charset)
    if call.body == "multipart":
        return bodies.multipart(fields, charset)
    if call.body in ("xml", "soap"):
        return bodies.as_xml(fields, _shape(call), charset, soap=call.body == "soap")
    return None


def _request(
    profile: Profile,
    call: LoginCall | SendCall | StatusCall | LogoutCall,
    values: Mapping[str, str],
    session: Session | Mapping[str, str],
    body: Body | None,
    more: Mapping[str, str] | None = None,
) -> Request:
    held = session if isinstance(session, Session) else Session({})
    query = _filled(call.query, values) | _injected(profile, held, "query")
    cookies = "; ".join(f"{name}={value}" for name, value in _injected(profile, held, "cookie").items())
    headers = _filled(call.headers, values) | _injected(profile, held, "header") | dict(more or {})
    if cookies:
        headers["cookie"] = cookies
    if body is not None:
        headers["content-type"] = body.content_type
    if call.body == "soap" and call.shape is not None and call.shape.soap == "1.1":
        headers.setdefault("soapaction", f'"{call.shape.action or ""}"')
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()) or value != value.strip():
            raise ConfigurationError(
                f"The header {name} would hold letters that a header cannot carry. Let the profile put that value into the "
                "body. Nothing was sent."
            )
    path = fill(call.path, values, lambda value: quote(value, safe=""))
    url = profile.base_url.rstrip("/") + path
    if query:
        url += "?" + bodies.form(query, profile.sent_in(call)).content.decode("ascii")
    return Request(call.method, url, headers, body.content if body is not None else b"")


def _shape(call: Call) -> XmlShape:
    if call.shape is None:  # pragma: no cover - refused when the profile was loaded
        raise ConfigurationError("The profile names no element around the fields.")
    return call.shape


def _filled(templates: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    return {name: fill(template, values) for name, template in templates.items()}


def _named(session: Session) -> dict[str, str]:
    return {f"session.{name}": value for name, value in session.values.items()}


def _injected(profile: Profile, session: Session, way: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for carrier in profile.session:
        value = session.values.get(carrier.name)
        name = None if carrier.inject is None else getattr(carrier.inject, way)
        if carrier.inject is not None and name is not None and value is not None:
            found[name] = fill(carrier.inject.template, {"v": value}) if way == "header" else value
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Answers


def said(profile: Profile, call: Call, seen: Seen, hidden: Collection[str]) -> Said:
    """Status, code and explanation of an answer; ``hidden`` are secrets that a venue might repeat in them."""
    raw = call.result_code.find(seen) if call.result_code is not None else None
    text = call.result_text.find(seen) if call.result_text is not None else None
    return Said(
        seen.response.status,
        seen.kind,
        None if raw is None else _shown(raw, hidden, LONGEST_CODE),
        profile.code(raw),
        None if text is None else _shown(text, hidden, LONGEST_TEXT),
    )


def _shown(text: str, hidden: Collection[str], most: int) -> str:
    return mask(hide(text, hidden, most=4 * most)[: 4 * most])[:most]


def session_life_s(profile: Profile, response: Response, now: datetime) -> float | None:
    """How long the session of a login lives, as its answer says; None where it does not."""
    lifetime = profile.login.lifetime
    return None if lifetime is None else lifetime.seconds(Seen(response, profile.read_in(profile.login)), now)


def read_login(profile: Profile, response: Response, password: SecretStr) -> tuple[Said, dict[str, str] | None]:
    """What a login's answer said, and the session values in it; None unless all of them are there."""
    seen = Seen(response, profile.read_in(profile.login))
    values = {carrier.name: value for carrier in profile.session if (value := _value(carrier, seen)) is not None}
    hidden = (password.get_secret_value(), *values.values())
    return said(profile, profile.login, seen, hidden), values if len(values) == len(profile.session) else None


def _value(carrier: Carrier, seen: Seen) -> str | None:
    value = carrier.extract.find(seen)
    # A page of HTML is no session, whatever a place that takes the whole body finds in it.
    if value is None or (
        seen.kind is BodyKind.HTML and carrier.extract.cookie is None and carrier.extract.header is None
    ):
        return None
    return value if value.isprintable() and len(value) <= 16_384 else None


def secrets_of(session: Session | None, password: SecretStr) -> list[str]:
    """What an answer might repeat and nobody may see."""
    return [*(session.values.values() if session is not None else ()), password.get_secret_value()]


def read_send(profile: Profile, response: Response, hidden: Collection[str]) -> SendAnswer:
    """What an upload's answer said, without the secrets in ``hidden``."""
    seen = Seen(response, profile.read_in(profile.send))
    job_id = profile.send.job_id.find_name(seen)
    usable = job_id is not None and job_id.isprintable() and len(job_id) <= 500
    return SendAnswer(said(profile, profile.send, seen, hidden), job_id if usable else None)


def read_status(profile: Profile, response: Response, hidden: Collection[str]) -> StatusAnswer:
    """What a status answer said, without the secrets in ``hidden``."""
    call, seen = profile.status, Seen(response, profile.read_in(profile.status))
    raw = call.state.find(seen)
    status = call.document_status.find(seen) if call.document_status is not None else None
    errors = call.errors.find(seen) if call.errors is not None else []
    return StatusAnswer(
        said=said(profile, call, seen, hidden),
        raw_state=None if raw is None else _shown(raw, hidden, LONGEST_CODE),
        state=None if raw is None else profile.job_states.get(raw, JobState.UNKNOWN_STATE),
        document_status=None if status is None else _shown(status, hidden, LONGEST_TEXT),
        errors=tuple(
            FileError(**{name: _shown(part, hidden, LONGEST_TEXT) for name, part in one.items()}) for one in errors
        ),
    )

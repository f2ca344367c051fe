"""What must hold between the fields of a profile, and the loading of one. Every complaint names its field."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from gridwire.observe.redact import shown_url
from gridwire.settings import expanded, lasting_path
from gridwire.siooi import digests
from gridwire.siooi.errors import ProfileError, ProfileNotConfirmed
from gridwire.siooi.profile import Call, LoginCall, LogoutCall, Profile, Rule, SendCall, StatusCall
from gridwire.siooi.spelling import misspelled
from gridwire.siooi.templates import holes
from gridwire.transport.tls import is_loopback

MOST_BYTES = 1024 * 1024
_DOCUMENT = frozenset({"form_code", "object_key", "period"})
_KNOWN = {
    "login": frozenset({"login", "password"}),
    "send": _DOCUMENT | digests.NAMES,
    "status": frozenset({"job_id", "form_code"}),
    "logout": frozenset[str](),
}
_FOLLOWS = frozenset({"content-type", "content-length", "host", "cookie"})
_LISTED = "Content-Type, Content-Length, Host and Cookie"
_FRAMING = frozenset(
    {"transfer-encoding", "connection", "te", "trailer", "upgrade", "keep-alive", "proxy-connection", "http2-settings"}
    | {"expect", "content-encoding"}
)
"""Headers that say where a message ends, what its connection is for, or how its body is packed (RFC 9110, 7.6.1, 8.4, 10.1.1)."""
_FRAMES = "it says how the message travels, which gridwire settles itself; a document sent beside it could arrive cut or twice"
Complaint = tuple[str, str]


def load_profile(source: str | Path | Mapping[str, Any]) -> Profile:
    """A profile from a TOML or JSON file, or from a mapping, checked whole.

    Raises `ProfileError`, whose text names every field that is wrong, what is wrong with it, and what would be right.
    """
    if isinstance(source, Mapping):
        where, data = "the profile", source
    else:
        path = expanded(source, "profile")
        where, data = str(path), _with_its_paths(_read(path), path)
    try:
        profile = Profile.model_validate(data)
    except ValidationError as error:
        raise ProfileError(where, _complaints(error)) from None
    check_profile(profile, where)
    return profile


def check_profile(profile: Profile, where: str = "the profile") -> None:
    """Raise `ProfileError` for what contradicts itself in a profile, also one that was made or changed in a program."""
    complaints = list(_contradictions(profile))
    if complaints:
        raise ProfileError(where, complaints)


def check_reach(profile: Profile) -> None:
    """Raise `ProfileNotConfirmed` if ``profile`` would reach beyond this machine and nobody has confirmed it."""
    if not profile.confirmed and not profile.is_local:
        raise ProfileNotConfirmed(
            f"The profile {profile.name} is not confirmed, so it may only talk to this machine, and base_url names "
            f"{profile.host}. Nothing was sent, and its name was not looked up. Check the profile against the letter from the "
            "venue's support, write who did so into source_note, and set confirmed = true."
        )


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ProfileError(str(path), [("", f"it cannot be read: {error.strerror or error}")]) from None
    if len(data) > MOST_BYTES:
        raise ProfileError(str(path), [("", "it is longer than 1 MiB, so it is no profile")])
    try:
        text = data.decode("utf-8-sig")
        return json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except UnicodeDecodeError:
        raise ProfileError(str(path), [("", "it is not UTF-8; save it as UTF-8")]) from None
    except (ValueError, RecursionError) as error:
        raise ProfileError(str(path), [("", f"it is neither TOML nor JSON: {error}")]) from None


def _with_its_paths(data: Any, file: Path) -> Any:
    """The profile with its paths as they are seen from the folder of its file."""
    tls = data.get("tls") if isinstance(data, dict) else None
    if not isinstance(tls, dict):
        return data
    folder = lasting_path(file, "profile").parent
    named = {name: tls[name] for name in ("ca_bundle", "client_cert") if isinstance(tls.get(name), str) and tls[name]}
    placed = {name: str(folder / expanded(value, f"tls.{name}")) for name, value in named.items()}
    return {**data, "tls": {**tls, **placed}}


def _complaints(error: ValidationError) -> list[Complaint]:
    found = [_complaint(one) for one in error.errors(include_url=False)]
    # A list whose only entry is wrong counts as empty too; that says nothing new.
    return [
        one for one in found if not (one[1].startswith("tuple") and any(p.startswith(f"{one[0]}[") for p, _ in found))
    ]


def _complaint(error: Any) -> Complaint:
    place = [part for part in error["loc"] if part != "[key]"]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    kind, message = error["type"], str(error["msg"])
    about = _description(place)
    if kind == "missing":
        return path, f"is missing. It is {about}"  # every field that is needed has a description
    if kind == "extra_forbidden":
        return path, "is not a field of a profile; look for a typing mistake"
    if kind == "value_error":
        return path, message.removeprefix("Value error, ")
    what = message[:1].lower() + message[1:]
    return path, f"{what}. It is {about}" if about else what


def _description(place: Sequence[str | int]) -> str:
    """What the field at ``place`` is, from its own description."""
    model: type[BaseModel] | None = Profile
    said = ""
    for part in place:
        if isinstance(part, int):
            continue
        if model is None:
            break
        field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        if field is None:
            break
        said = field.description or ""
        model = _model_in(field.annotation)
    return said


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


# ---------------------------------------------------------------------------------------------------------------------
# Between fields


def _contradictions(profile: Profile) -> Iterator[Complaint]:
    yield from _address(profile)
    names = [carrier.name for carrier in profile.session]
    if len(set(names)) < len(names):
        yield "session", "two of its values have the same name"
    if profile.relogin_margin_s >= profile.session_ttl_s:
        yield "relogin_margin_s", f"must be less than session_ttl_s, which is {profile.session_ttl_s:g}"
    for name, status in profile.http_codes.items():
        if not (name.isascii() and name.isdigit() and 100 <= int(name) <= 599):
            yield f"http_codes.{name}", f"is not an HTTP status ({status})"
    for section, call in profile.calls().items():
        yield from _holes(section, call, names)
        yield from _shape(section, call)
        yield from _injections(section, call, profile)
        yield from misspelled(section, call, profile)
    yield from _carried(profile)
    yield from _login(profile.login)
    yield from _send(profile.send, profile)
    if not any("job_id" in holes(template) for _, template in profile.status.templates()):
        yield (
            "status",
            'nothing in it names the job; put {job_id} into path, query or fields, like path = "/jobs/{job_id}"',
        )


def _address(profile: Profile) -> Iterator[Complaint]:
    try:
        parts = urlsplit(profile.base_url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if "@" in parts.netloc:
        yield (
            "base_url",
            "holds a login or an @ before its host, where it would be told in errors and logs; leave it out",
        )
    elif parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        yield (
            "base_url",
            f"{shown_url(profile.base_url)} is not an address; write scheme, host and path, like https://host.example/api",
        )
    elif parts.scheme == "http" and not is_loopback(parts.hostname):
        yield "base_url", "must begin with https://; without encryption only this machine may be reached"


def _holes(section: str, call: Call, names: list[str]) -> Iterator[Complaint]:
    known = _KNOWN[section] | ({f"session.{name}" for name in names} if section != "login" else set())
    templates = list(call.templates())
    if isinstance(call, SendCall):
        templates.append(("file.name", call.file.name))
    for where, template in templates:
        for hole in holes(template):
            if hole not in known:
                may = ", ".join(f"{{{one}}}" for one in sorted(known - digests.NAMES)) or "none"
                may += f", {digests.LISTED}" if section == "send" else ""
                yield f"{section}.{where}", f"holds {{{hole}}}, which nothing fills; here it may be: {may}"


def _shape(section: str, call: LoginCall | SendCall | StatusCall | LogoutCall) -> Iterator[Complaint]:
    if call.body in ("xml", "soap") and call.shape is None:
        yield f"{section}.shape", f"is missing; a body of {call.body} needs the element around its fields"
    if call.body in ("none", "basic", "raw_xml") and call.fields:
        yield f"{section}.fields", f"have no place in a body of {call.body!r}; use query or headers"
    if call.method == "GET" and call.body not in ("none", "basic"):
        yield f"{section}.method", f"is GET, which has no body, while body is {call.body!r}"
    for name in call.headers:
        if name.lower() in _FOLLOWS:
            yield f"{section}.headers", f"may not name {name}; {_LISTED} follow from body and session"
        elif name.lower() in _FRAMING:
            yield f"{section}.headers", f"may not name {name}: {_FRAMES}"


def _injections(
    section: str, call: LoginCall | SendCall | StatusCall | LogoutCall, profile: Profile
) -> Iterator[Complaint]:
    if section == "login":
        return
    for at, carrier in enumerate(profile.session):
        inject = carrier.inject
        if inject is None:
            continue
        name = (inject.header or "").lower()
        if section == "send" and name in _FRAMING | _FOLLOWS - {"cookie"}:
            yield f"session[{at}].inject.header", f"may not be {inject.header}: {_FRAMES}"
        if inject.field is not None and call.body in ("none", "raw_xml") and section != "logout":
            yield f"session[{at}].inject.field", f"has no place in {section}, whose body is {call.body!r}"
        if inject.path and f"session.{carrier.name}" not in holes(call.path) and section != "logout":
            yield (
                f"{section}.path",
                f"must hold {{session.{carrier.name}}}, because session[{at}].inject.path is true; without inject, each request "
                "names it where it wants",
            )


def _carried(profile: Profile) -> Iterator[Complaint]:
    """A session value without ``inject`` goes where templates name it."""
    templates = (one for name, call in profile.calls().items() if name != "login" for _, one in call.templates())
    named = {hole for template in templates for hole in holes(template)}
    for at, carrier in enumerate(profile.session):
        if carrier.inject is None and f"session.{carrier.name}" not in named:
            yield (
                f"session[{at}].inject",
                f"is missing, and no request names {{session.{carrier.name}}}: nothing would carry this value",
            )


def _login(login: LoginCall) -> Iterator[Complaint]:
    used = {hole for _, template in login.templates() for hole in holes(template)}
    for name in ("login", "password"):
        if login.body != "basic" and name not in used:
            yield "login.fields", f'nothing carries {{{name}}}; name the field for it, like {name} = "{{{name}}}"'
    if any(
        "password" in holes(template) for where, template in login.templates() if where == "path" or "query" in where
    ):
        yield "login", "the password may not stand in the address, because servers write addresses into their logs"
    yield from _codes_readable("login", login, login.accepted_when + login.refused_when)


def _send(send: SendCall, profile: Profile) -> Iterator[Complaint]:
    if send.method not in ("POST", "PUT"):
        yield "send.method", f"is {send.method}; a document is sent with POST or PUT"
    if send.body == "raw_xml" and send.file.field is not None:
        yield "send.file.field", "has no place in a body of 'raw_xml', which is the document itself"
    if send.body != "raw_xml" and not send.file.field:
        yield "send.file.field", f"is missing; a body of {send.body!r} needs the field that carries the document"
    if send.file.field is not None and send.file.field in send.fields:
        yield "send.file.field", "is also one of send.fields"
    if not any("form_code" in holes(template) for _, template in send.templates()):
        yield (
            "send",
            'nothing in it names the form; put {form_code} into fields, query or path, like form = "{form_code}"',
        )
    rules = send.queued_when + send.refused_when
    yield from _codes_readable("send", send, rules)
    for at, rule in enumerate(send.queued_when):
        if any(status >= 300 for status in rule.status):
            yield (
                f"send.queued_when[{at}].status",
                "is no success; only 200 to 299 can mean that a document is in the queue",
            )
    for at, code in ((at, code) for at, rule in enumerate(send.queued_when) for code in rule.code):
        if profile.code(code) != "OK":
            yield (
                f"send.queued_when[{at}].code",
                f"names {code!r}, and result_codes does not say that it means OK; an upload answered so would be unknown",
            )
    for at, rule in enumerate(send.refused_when):
        if not rule.code:
            yield (
                f"send.refused_when[{at}].code",
                "is missing; a status alone may come from something in front of the venue, so it refuses nothing for certain",
            )
        if any(300 <= status < 400 for status in rule.status):
            yield f"send.refused_when[{at}].status", "is a redirect; something in front of the venue gives those"
    for at, code in ((at, code) for at, rule in enumerate(send.refused_when) for code in rule.code):
        if profile.code(code) in (None, "UNMAPPED", "OK"):
            yield (
                f"send.refused_when[{at}].code",
                f"names {code!r}, and result_codes does not say what kind of refusal that is",
            )


def _codes_readable(section: str, call: Call, rules: Sequence[Rule]) -> Iterator[Complaint]:
    if call.result_code is None and any(rule.code for rule in rules):
        yield f"{section}.result_code", "is missing; rules name codes, and nothing says where in the answer they stand"

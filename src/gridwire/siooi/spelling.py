"""Names and constants of a profile that its requests could not carry: found when it is loaded, not when a document leaves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

from gridwire.siooi.profile import ELEMENT_RULE, LoginCall, LogoutCall, Profile, SendCall, StatusCall
from gridwire.siooi.templates import constant
from gridwire.transport import xml

AnyCall: TypeAlias = LoginCall | SendCall | StatusCall | LogoutCall
Complaint: TypeAlias = tuple[str, str]

NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def misspelled(section: str, call: AnyCall, profile: Profile) -> Iterator[Complaint]:
    """What a request could not carry, by the form of its body and its encoding."""
    charset, names = profile.sent_in(call), dict(_names(section, call, profile))
    if call.body in ("xml", "soap"):
        yield from _elements(section, call, names, charset)
    if call.body in ("json", "base64_json", "xml", "soap"):
        yield from _levels(names)
    if call.body in ("form", "multipart"):
        fields = {f"{section}.fields.{name}": name + constant(value) for name, value in call.fields.items()}
        yield from _letters({**names, **fields}, charset)
    query = {f"{section}.query.{name}": name + constant(value) for name, value in call.query.items()}
    yield from _letters(query, charset)
    headers = {f"{section}.headers.{name}": constant(value) for name, value in call.headers.items()}
    if call.shape is not None:
        headers[f"{section}.shape.action"] = (call.shape.action or "").replace('"', "\0")  # it stands in quotes
    for where, text in headers.items():
        if not (text.isascii() and text.isprintable()):
            yield (
                where,
                "holds a letter that a header cannot carry: printable ones of ASCII only, and no quotes in an action",
            )


def _names(section: str, call: AnyCall, profile: Profile) -> Iterator[tuple[str, str]]:
    """The names of the fields in a body, by where they stand in the profile."""
    for name in call.fields:
        yield f"{section}.fields.{name}", name
    if isinstance(call, SendCall) and call.file.field:
        yield "send.file.field", call.file.field
    if section != "login" and call.body not in ("none", "raw_xml"):
        for at, carrier in enumerate(profile.session):
            if carrier.inject is not None and carrier.inject.field:
                yield f"session[{at}].inject.field", carrier.inject.field


def _elements(section: str, call: AnyCall, names: dict[str, str], charset: str) -> Iterator[Complaint]:
    for where, name in names.items():
        wrong = next((step for step in name.split("/") if not xml.is_name(step)), None)
        if wrong is not None:
            yield where, f"names {wrong!r}, which no XML element can be called: {ELEMENT_RULE}"
    shape = call.shape
    # Of a value, a letter that the encoding lacks is written as a reference; a name has to be written as it is.
    yield from _letters({**names, **({f"{section}.shape.root": shape.root} if shape is not None else {})}, charset)
    texts = {f"{section}.fields.{name}": constant(value) for name, value in call.fields.items()}
    if shape is not None:
        texts[f"{section}.shape.namespace"] = shape.namespace
    for where, text in texts.items():
        if NOT_IN_XML.search(text):
            yield where, "holds a character that XML cannot carry"
    space, where = "" if shape is None else shape.namespace, f"{section}.shape.namespace"
    if xml.is_reserved(space):
        yield where, f"is {space!r}, which XML keeps for itself: no element may be in it"
    elif not NOT_IN_XML.search(space) and not xml.is_readable(space):
        yield where, f"is {space!r}, which is {xml.NO_URI}; ask the venue's support for its exact spelling"


def _levels(names: dict[str, str]) -> Iterator[Complaint]:
    """A name with a slash stands below another one, which then cannot hold a text of its own."""
    held = {tuple(name.split("/")): where for where, name in names.items()}
    for steps, where in held.items():
        above = next((held[steps[:depth]] for depth in range(1, len(steps)) if steps[:depth] in held), None)
        if above is not None:
            yield where, f"stands below {above}, which is a field itself"
        if "" in steps:
            yield where, "has a level without a name; a / stands between two names"


def _letters(texts: dict[str, str], charset: str) -> Iterator[Complaint]:
    for where, text in texts.items():
        try:
            text.encode(charset)
        except UnicodeEncodeError as error:
            yield where, f"holds {error.object[error.start]!r}, which {charset} does not have"

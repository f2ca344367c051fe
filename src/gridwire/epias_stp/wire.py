"""STP messages: request bodies to bytes, bytes of an answer to an `Envelope`. Pure functions.

A request is ``headers`` with the pairs ``transactionId`` and ``application``, and a ``body`` that is always written. The
document's overview, its HTTP example included, spells it ``header``, which is the spelling of EPİAŞ's other services; every
sample of an operation, every definition and the official client write ``headers``.

An answer carries ``resultCode``, ``resultDescription``, ``resultType``, sometimes ``transactionId``, and a ``body``. Its
envelope is read first and alone, because it decides what became of the call; its body is parsed when somebody asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from pydantic import ValidationError

from gridwire.epias_stp import wire_json, wire_xml
from gridwire.epias_stp.enums import ResultType
from gridwire.epias_stp.errors import Facts, StpProtocolError
from gridwire.epias_stp.models.base import StpModel, StpRequest, Wire, check_text, digits
from gridwire.epias_stp.operations import OPERATIONS, Operation
from gridwire.observe.redact import mask
from gridwire.transport.classify import BodyKind, body_kind, is_redirect
from gridwire.transport.exchange import Response
from gridwire.transport.xml import XmlRefused

Format: TypeAlias = Literal["json", "xml"]

MEDIA_TYPES: Mapping[Format, str] = {"json": "application/json", "xml": "application/xml"}
"""For ``Content-Type`` and ``Accept`` alike; mixing them is not documented."""

MAX_TEXT = 2000
"""Most characters kept of a code or a description: they end up in errors and logs."""

_NO_SECRET = re.compile(r"(?!.*(?:[Tt]-|eyJ))[A-Za-z0-9_.-]{1,40}", re.ASCII)
"""Ids, codes and result types, in which `mask` would find nothing: it costs more than all the rest of reading."""

_ROOTS = {operation.response_root.lower() for operation in OPERATIONS.values()}


@dataclass(slots=True)  # freezing it would cost an order 1 us
class Envelope:
    """An answer of STP, read as far as it decides about the call."""

    operation: Operation
    transaction_id: str
    """The id we sent."""
    echoed_transaction_id: str | None
    """The id the answer names; None in most answers."""
    http_status: int
    result_code: str | None
    """``"0"`` for success; EPİAŞ publishes no list of the others."""
    result_description: str
    """The venue's words in the language of the request; tickets masked. Never branch on them."""
    result_type: ResultType | None
    """None if the answer names none, or one that nobody documented."""
    raw_result_type: str | None
    body: Any = field(repr=False)
    """As it came: a mapping, a bare boolean, or None. All leaves are text in XML."""
    fmt: Format = "json"

    @property
    def facts(self) -> Facts:
        """What errors about this answer quote."""
        return Facts(
            operation=self.operation.name,
            transaction_id=self.transaction_id,
            http_status=self.http_status,
            result_code=self.result_code,
            result_description=self.result_description,
            result_type=self.result_type,
            echoed_transaction_id=self.echoed_transaction_id,
        )

    @property
    def flag(self) -> bool | None:
        """The body where it is a bare boolean, as some successes have it; None otherwise."""
        if isinstance(self.body, str):
            return {"true": True, "false": False}.get(self.body.lower())
        return self.body if isinstance(self.body, bool) else None

    def model(self) -> StpModel:
        """The body as the operation's model. No body gives the model's defaults, as does ``true`` for a write.

        Raises `StpProtocolError` if the body is not what the operation answers.
        """
        body = {} if self.body is None or (self.flag is True and self.operation.is_write) else self.body
        if not isinstance(body, dict):
            raise StpProtocolError(
                f"STP's answer has a {type(body).__name__} where its content should be.", self.facts, kind="unreadable"
            )
        try:
            return self.operation.response_body.model_validate(body).answering(self.transaction_id)
        except ValidationError as error:
            raise StpProtocolError(
                f"STP's answer holds values that do not fit its own definition: {_places(error)}.",
                self.facts,
                kind="unreadable",
            ) from None


def encode(
    operation: Operation, body: StpRequest, *, transaction_id: str, application: str, fmt: Format = "json"
) -> bytes:
    """The request's bytes: exactly one form for the same input.

    Raises `InvalidInput` for a text that JSON and XML cannot both carry, and for ``body`` of another operation.
    """
    if type(body) is not operation.request_body:
        raise TypeError(f"{operation} takes a {operation.request_body.__name__}, not a {type(body).__name__}")
    message: dict[str, Wire] = {
        "headers": [
            {"key": "transactionId", "value": check_text(transaction_id, "transaction_id")},
            {"key": "application", "value": check_text(application, "application")},
        ],
        "body": body.wire(),
    }
    if fmt == "xml":
        return wire_xml.write(operation.request_root, message)
    return wire_json.write(message).encode("ascii")


def decode(operation: Operation, response: Response, *, transaction_id: str) -> Envelope:
    """The envelope of an answer, whatever its status. Raises `StpProtocolError` if its body is not one.

    The body's first bytes decide whether it is JSON or XML, not the media type it claims; only ``text/html`` is
    believed, because that is what stands in front of a venue answers. ``kind`` of the error is ``html``, ``unreadable``, or
    ``other_operation`` for XML of another one.
    """
    return _decode(operation, response, transaction_id, operation.response_root.lower())


def named_transaction(response: Response) -> str | None:
    """The transactionId that the envelope of an answer names, whichever operation's it is.

    None where it names none, and where `decode` finds no envelope or `gridwire.epias_stp.judgement` asks for none.
    """
    if is_redirect(response):
        return None
    try:
        return _decode(OPERATIONS["bid_save"], response, "", None).echoed_transaction_id
    except StpProtocolError:
        return None


def _decode(operation: Operation, response: Response, transaction_id: str, root_wanted: str | None) -> Envelope:
    facts = Facts(operation=operation.name, transaction_id=transaction_id, http_status=response.status)
    kind = body_kind(response)
    if kind is BodyKind.HTML or response.media_type == "text/html":
        raise StpProtocolError("A web page came instead of STP's answer", facts, kind="html")
    if kind is BodyKind.EMPTY:
        raise StpProtocolError("The answer is empty", facts, kind="unreadable")
    fmt: Format = "xml" if kind is BodyKind.XML else "json"
    try:
        if fmt == "xml":
            root, message = wire_xml.read(response.content, response.charset)
            if root_wanted is not None and root.lower() != root_wanted and root.lower() in _ROOTS:
                # Unknown roots pass, because error answers have no documented one.
                what = f"The answer cannot be read as XML of STP: it is a {root}, the answer of another operation"
                raise StpProtocolError(what, facts, kind="other_operation")
        else:
            message = wire_json.read(response.content, response.charset)
        return _envelope(operation, message, transaction_id, response.status, fmt)
    except XmlRefused as error:
        raise StpProtocolError(str(error), facts, kind="unreadable") from None
    except ValueError as error:
        raise StpProtocolError(
            f"The answer cannot be read as {fmt.upper()} of STP: {_reason(error)}", facts, kind="unreadable"
        ) from None


def _envelope(operation: Operation, message: object, transaction_id: str, status: int, fmt: Format) -> Envelope:
    if not isinstance(message, dict) or not ("resultType" in message or "resultCode" in message):
        raise ValueError("it has neither a resultType nor a resultCode")
    raw_type = _scalar(message, "resultType")
    return Envelope(
        operation=operation,
        transaction_id=transaction_id,
        echoed_transaction_id=_scalar(message, "transactionId"),
        http_status=status,
        result_code=_scalar(message, "resultCode"),
        result_description=_scalar(message, "resultDescription") or "",
        result_type=ResultType(raw_type) if raw_type in _RESULT_TYPES else None,
        raw_result_type=raw_type,
        body=message.get("body"),
        fmt=fmt,
    )


_RESULT_TYPES = {kind.value for kind in ResultType}


def _scalar(message: Mapping[str, Any], name: str) -> str | None:
    value = message.get(name)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        value = digits(value)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"its {name} is of type {type(value).__name__}")
    if value is None:
        return None
    text = value.strip()[:MAX_TEXT]
    return (text if _NO_SECRET.fullmatch(text) else mask(text)) or None


def _reason(error: ValueError) -> str:
    if isinstance(error, UnicodeError):
        return "it is not UTF-8, nor in a character set that it names"
    return str(error)


def _places(error: ValidationError) -> str:
    return "; ".join(".".join(str(part) for part in item["loc"]) for item in error.errors(include_input=False)[:3])

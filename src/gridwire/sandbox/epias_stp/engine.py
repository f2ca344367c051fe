"""From a request's bytes to an answer: formats, envelope, ticket, rights, the operation, and what a fault makes of it.

Everything here happens in one step of the event loop, so a call is executed as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from gridwire import clock
from gridwire.sandbox.cas import Validation
from gridwire.sandbox.epias_stp import codec
from gridwire.sandbox.epias_stp.fields import Fields
from gridwire.sandbox.epias_stp.log import CallLog, LoggedCall
from gridwire.sandbox.epias_stp.market import Market
from gridwire.sandbox.epias_stp.operations import Call, Operation
from gridwire.sandbox.epias_stp.records import User
from gridwire.sandbox.epias_stp.shapes import as_in_the_document
from gridwire.sandbox.epias_stp.texts import Language, Refused, language_of, result_text
from gridwire.sandbox.faults import Fault
from gridwire.sandbox.faulty import Answer


@dataclass(slots=True)
class StpKnobs:
    """How the simulated STP behaves where its document contradicts itself or is silent. May be changed while it runs."""

    engine_path: str = "/stp-orchestrator-trading-engine/rest"
    broadcaster_path: str = "/stp-broadcaster-orchestrator/rest"
    service: str = "https://stp.sandbox.invalid"
    """The service name tickets must be issued for."""
    shape: Literal["definition", "document"] = "definition"
    """Whether contract answers follow the document's definitions or its (older) samples."""
    accept_header_singular: bool = False
    """Whether an envelope with ``header`` instead of ``headers`` is taken, as sister systems of EPİAŞ do."""
    echo_transaction_id: bool = True
    latency_s: float = 0.0
    """Pause between the arrival of a request and its execution."""
    heartbeat_s: float = 10.0
    """Seconds between two ``X`` frames of the broadcast socket."""
    clock_offset_s: float = 0.0
    """How far STP's clock is ahead of ours: that of its matches, expiries and gates, and of its ``Date`` headers."""
    sends_date: bool = True
    """Whether answers carry a ``Date`` header."""

    def now(self) -> datetime:
        """The present time by STP's clock."""
        return clock.now() + timedelta(seconds=self.clock_offset_s)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it came off the wire, with its ticket already checked."""

    at: float
    operation: Operation
    content_type: str
    accept: str
    accept_language: str | None
    ticket: Validation
    body: bytes = b""


class Engine:
    """Executes arrivals against the market and writes them down."""

    def __init__(self, market: Market, knobs: StpKnobs, log: CallLog) -> None:
        self._market = market
        self._knobs = knobs
        self._log = log

    def execute(self, arrival: Arrival, fault: Fault | None) -> Answer:
        """Answer a request. The four result types are all HTTP 200; wrong media types are 415 and 406 without envelope."""
        read, write = codec.MEDIA_TYPES.get(arrival.content_type), _wanted(arrival)
        if read is None or write is None:
            self.record(arrival, fault)
            return Answer(415 if read is None else 406)
        language = language_of(arrival.accept_language)
        top, problem = _open(arrival)
        pairs = self._pairs(top)
        bid_ids: list[str] = []
        try:
            user = self._admit(arrival)
            if problem is not None:
                raise problem
            fields = _fields(top, pairs, from_xml=read == "xml")
            call = Call(
                self._market, user, fields, self._knobs.now(), language, self._knobs.shape == "document", bid_ids
            )
            envelope = self._run(arrival.operation, call, fault)
        except Refused as refused:
            envelope = _envelope(refused.result_type, refused.code, language, refused.details)
        self._record(
            arrival,
            fault,
            pairs,
            executed="body" in envelope,
            result_type=envelope["resultType"],
            result_code=envelope["resultCode"],
            bid_ids=tuple(bid_ids),
        )
        status = 200
        if fault is not None:
            envelope, status = _disturbed(envelope, fault, language)
        answered = self._with_transaction_id(envelope, pairs, fault)
        content = codec.write(answered, write, arrival.operation.response_root)
        return Answer(status, content, codec.CONTENT_TYPES[write])

    def record(self, arrival: Arrival, fault: Fault | None) -> None:
        """Write a request down as one that the engine never saw."""
        self._record(arrival, fault, self._pairs(_open(arrival)[0]))

    def _record(self, arrival: Arrival, fault: Fault | None, pairs: Mapping[str, Any], **more: Any) -> None:
        ticket = arrival.ticket
        self._log.append(
            LoggedCall(
                at=arrival.at,
                operation=arrival.operation.name,
                wire=codec.MEDIA_TYPES.get(arrival.content_type),
                user=ticket.user,
                ticket=ticket.number,
                ticket_age_s=ticket.age_s,
                ticket_problem=ticket.why,
                transaction_id=_text(pairs.get("transactionId")),
                application=_text(pairs.get("application")),
                fault=fault.kind if fault else None,
                **more,
            )
        )

    def _admit(self, arrival: Arrival) -> User:
        user = self._market.users.get(arrival.ticket.user or "")
        if not arrival.ticket.ok or user is None:
            raise Refused("SEC-0001", result_type="SECURITYERROR")
        if user.role not in arrival.operation.roles:
            raise Refused("SEC-0002", result_type="SECURITYERROR")
        return user

    def _pairs(self, top: Mapping[str, Any]) -> dict[str, Any]:
        """The message header pairs as far as they can be read; the first of each key counts."""
        found = top.get("headers")
        if found is None and self._knobs.accept_header_singular:
            found = top.get("header")
        rows = found if isinstance(found, list) else [found]
        pairs: dict[str, Any] = {}
        for row in rows:
            if isinstance(row, dict) and isinstance(row.get("key"), str):
                pairs.setdefault(row["key"], row.get("value"))
        return pairs

    def _run(self, operation: Operation, call: Call, fault: Fault | None) -> dict[str, Any]:
        if fault is not None and fault.before_execution:
            return _envelope(fault.result_type, fault.result_code, call.language)
        self._market.advance(call.now)
        body = operation.run(call)
        if self._knobs.shape == "document":
            body = as_in_the_document(operation.name, body)
        return _envelope("SUCCESS", "0", call.language) | {"body": body}

    def _with_transaction_id(
        self, envelope: dict[str, Any], pairs: Mapping[str, Any], fault: Fault | None
    ) -> dict[str, Any]:
        echoed = _text(pairs.get("transactionId")) if self._knobs.echo_transaction_id else None
        if fault is not None and fault.kind == "wrong_transaction_id":
            echoed = fault.echo
        if echoed is None:
            return envelope
        body = {"body": envelope["body"]} if "body" in envelope else {}
        return {**{k: v for k, v in envelope.items() if k != "body"}, "transactionId": echoed, **body}


def _open(arrival: Arrival) -> tuple[dict[str, Any], Refused | None]:
    """The request's top level, or nothing and why it cannot be read."""
    read = codec.MEDIA_TYPES.get(arrival.content_type)
    try:
        if read is not None:
            return codec.read(arrival.body, read, arrival.operation.request_root), None
    except Refused as refused:
        return {}, refused
    return {}, None


def _fields(top: Mapping[str, Any], pairs: Mapping[str, Any], *, from_xml: bool) -> Fields:
    if not pairs:
        raise Refused("REQ-0002")
    try:
        UUID(pairs.get("transactionId"))
    except (TypeError, ValueError, AttributeError):
        raise Refused("REQ-0003") from None
    if not _text(pairs.get("application")):
        raise Refused("REQ-0004")
    body = top.get("body") or {}
    if not isinstance(body, dict):
        raise Refused("REQ-0006", "body")
    return Fields(body, from_xml=from_xml)


def _wanted(arrival: Arrival) -> codec.Format | None:
    """The answer's format: the first one accepted that STP speaks, else the request's own for ``*/*`` or nothing."""
    named = [part.partition(";")[0].strip().lower() for part in arrival.accept.split(",")]
    for name in named:
        if name in codec.MEDIA_TYPES:
            return codec.MEDIA_TYPES[name]
        if name in ("", "*/*", "application/*"):
            return codec.MEDIA_TYPES.get(arrival.content_type)
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _envelope(result_type: str, code: str, language: Language, details: tuple[str, ...] = ()) -> dict[str, Any]:
    description = "OK" if code == "0" else result_text(code, details, language)
    return {"resultCode": code, "resultDescription": description, "resultType": result_type}


def _disturbed(envelope: dict[str, Any], fault: Fault, language: Language) -> tuple[dict[str, Any], int]:
    if fault.kind == "result":
        return _envelope(fault.result_type, fault.result_code, language), fault.status or 200
    if fault.kind == "wrong_types" and "body" in envelope:
        return envelope | {"body": _wrong(envelope["body"])}, 200
    return envelope, 200


def _wrong(value: Any) -> Any:
    """The same structure with every leaf of another type: numbers and booleans as words, texts as objects."""
    if isinstance(value, dict):
        return {name: _wrong(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_wrong(item) for item in value]
    return {"unexpected": value} if isinstance(value, str) else "many"

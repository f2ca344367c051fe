"""STP's orders as compiled messages: the HTTP head, the body, and the journal's row, with slots for what changes.

The body, JSON or XML as the client's ``message_format`` says, is compiled from what `gridwire.epias_stp.wire` writes and is
byte for byte the same. An order accepted in JSON is read here by a short way that takes exactly the plain success form;
everything else goes through the venue's table in `gridwire.epias_stp.judgement`, so that there is one truth about outcomes.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

from gridwire import clock, units
from gridwire.auth.ticket_pool import Ticket
from gridwire.epias_stp import dates, judgement, rules, wire
from gridwire.epias_stp.enums import BidStatus, BidType, Direction, ResultType
from gridwire.epias_stp.judgement import Attempt
from gridwire.epias_stp.models import StpRequest
from gridwire.epias_stp.operations import OPERATIONS
from gridwire.epias_stp.outcomes import VENUE, outcome_of
from gridwire.epias_stp.wire import Envelope as Answered
from gridwire.errors import AuthError, InvalidInput, NoAnswer, NotSent
from gridwire.observe.redact import mask
from gridwire.orders.envelope import (
    COUNT_SAMPLES,
    MOMENT_SAMPLES,
    PRICE_SAMPLES,
    UUID_SAMPLES,
    Envelope,
    Slot,
)
from gridwire.outcome import Accepted, Intent, OrderRef, Outcome
from gridwire.transport.exchange import Response
from gridwire.transport.lane import Answer
from gridwire.units import INT64_MAX

_ID_SAMPLES = ("slot-for-a-bid-id", "another-bid-id")


@dataclass(frozen=True, slots=True)
class Context:
    """What all messages of one client have in common."""

    host: str
    base_path: str
    application: str
    language: str
    account: str
    exclusive: bool
    """Whether the caller declared that nobody else enters bids for the organisation; see `EpiasStp`."""
    foreign_prices: Collection[Decimal]
    """`gridwire.epias_stp.ledger.Ledger.foreign_prices`."""
    seen_contracts: Collection[str]
    """`gridwire.epias_stp.ledger.Ledger.seen_contracts`."""
    on_judged: Callable[[Attempt], Attempt]
    """Told of every answer that was not a plain success; says what it is in the light of earlier ones."""
    named_before: Callable[[str, str], bool]
    """`gridwire.epias_stp.ledger.Ledger.named_before`."""
    message_format: wire.Format


def encode_price(value: Decimal) -> bytes:
    """A price as it stands on the wire. Raises `InvalidInput` for what `gridwire.units.price` would not give."""
    if type(value) is Decimal and -9 <= value.adjusted() <= 15:
        text = format(value, "f")
        if text[0] in "0123456789":  # neither signed nor a word
            return text.encode("ascii")
    raise InvalidInput(f"price={value!r} cannot be written as a price. Nothing was sent.")


def encode_count(value: int) -> bytes:
    """A quantity as it stands on the wire."""
    if type(value) is not int or not 0 < value <= INT64_MAX:
        raise InvalidInput(f"quantity={value!r} cannot be written as a quantity. Nothing was sent.")
    return b"%d" % value


def encode_moment(value: datetime) -> bytes:
    """An instant as it stands on the wire."""
    return dates.write(value, "expire_time").encode("ascii")


def encode_id(value: str) -> bytes:
    """A bid's identifier as it stands between JSON's quotes."""
    return json.dumps(rules.name_text(value, "bid_id"))[1:-1].encode("ascii")


_SAME_IN_BOTH = re.compile(rb"[A-Za-z0-9 .:+_-]*")


def _xml_text(encoded: bytes) -> bytes:
    """What stands between JSON's quotes, as the text of an XML element."""
    if _SAME_IN_BOTH.fullmatch(encoded):  # numbers, instants, almost every id
        return encoded
    return escape(json.loads(b'"%b"' % encoded)).encode("utf-8")


def _price(places: int | None) -> Slot[Decimal]:
    """The samples have the decimals that prices here have, so that none of them is taken for fixed text."""
    first, second = (
        units.price(f"{sample:.{2 if places is None else min(places, 2)}f}", None, unit=rules.PRICE_UNIT, places=places)
        for sample in PRICE_SAMPLES
    )
    return Slot("price", encode_price, (first or Decimal(0), second or Decimal(0)))


_COUNT: Slot[int] = Slot("quantity", encode_count, COUNT_SAMPLES)
_MOMENT: Slot[datetime] = Slot("expire_time", encode_moment, MOMENT_SAMPLES)
_BID_ID: Slot[str] = Slot("bid_id", encode_id, _ID_SAMPLES)
_KEY: Slot[str] = Slot("transaction_id", lambda value: value.encode("ascii"), UUID_SAMPLES)


class StpForm:
    """One compiled kind of order. Values are encoded in the order of ``slots``, the transactionId apart."""

    def __init__(
        self,
        context: Context,
        operation: str,
        slots: Sequence[Slot[Any]],
        build: Callable[[Mapping[str, Any]], StpRequest],
        fixed: Mapping[str, str],
    ) -> None:
        self.operation = operation
        self._operation = OPERATIONS[operation]
        self._context = context
        self.slots: tuple[Slot[Any], ...] = tuple(slots)
        self._encoders = tuple(slot.encode for slot in slots)

        def render(values: dict[str, Any]) -> bytes:
            key = values["transaction_id"]
            return wire.encode(
                self._operation,
                build(values),
                transaction_id=key,
                application=context.application,
                fmt=context.message_format,
            )

        media_type = wire.MEDIA_TYPES[context.message_format]
        self._body = Envelope(render, (_KEY, *slots))
        self._head = (
            f"POST {context.base_path}{self._operation.path} HTTP/1.1\r\nhost: {context.host}\r\nuser-agent: gridwire\r\n"
            f"accept: {media_type}\r\naccept-encoding: identity\r\naccept-language: {context.language}\r\n"
            f"content-type: {media_type}\r\nstp-service-ticket: "
        ).encode("ascii")
        self._record_head = b'{"s":"sending","k":"'
        self._record_fixed = (
            b',"v":"' + VENUE.encode() + b'","a":' + json.dumps(context.account).encode()
            + b',"o":"' + operation.encode() + b'","f":{'
            + b"".join(b"%b:%b," % (json.dumps(name).encode(), json.dumps(text).encode()) for name, text in fixed.items())
        )  # fmt: skip
        self._price_at = next((at for at, slot in enumerate(slots) if slot.name == "price"), None)
        self.fixed: Mapping[str, str] = dict(fixed)
        """What every message of this kind says: contract, direction …"""
        self._record_names = tuple(b'"%b":"' % slot.name.encode() for slot in slots)

    def encode(self, values: Sequence[Any]) -> list[bytes]:
        """Values to bytes, in the order of ``slots``. Raises `InvalidInput`."""
        return [encode(value) for encode, value in zip(self._encoders, values, strict=True)]

    def body(self, key: str, encoded: Sequence[bytes]) -> bytes:
        """The body alone."""
        if self._context.message_format == "xml":
            encoded = [_xml_text(value) for value in encoded]
        return self._body.fill((key.encode("ascii"), *encoded))

    # gridwire.orders.desk.Form

    def record(self, key: str, at_us: int, encoded: Sequence[bytes], client_ref: str | None) -> bytes:
        """The journal's row: values as text, so that no reader makes floats of them."""
        fields = b'",'.join([name + value for name, value in zip(self._record_names, encoded, strict=True)])
        reference = b"" if client_ref is None else b',"r":' + json.dumps(client_ref).encode("ascii")
        exclusive = b',"x":true' if self._context.exclusive and self._may_be_alone(encoded) else b""
        return b'%b%b","t":%d,"b":%d%b%b"}%b%b}' % (
            self._record_head, key.encode("ascii"), at_us, clock.boot_us(), self._record_fixed, fields, reference,
            exclusive,
        )  # fmt: skip

    def _may_be_alone(self, encoded: Sequence[bytes]) -> bool:
        """Whether the contract's marks were seen, and no bid that is not in the journal rests at the price."""
        contract, foreign = self.fixed.get("contract"), self._context.foreign_prices
        if contract is not None and contract not in self._context.seen_contracts:
            return False
        return not foreign or self._price_at is None or Decimal(encoded[self._price_at].decode()) not in foreign

    def render(self, key: str, credential: Ticket | None, encoded: Sequence[bytes]) -> bytes:
        """Head and body in one piece."""
        body = self.body(key, encoded)
        ticket = b"" if credential is None else credential.wire
        return b"%b%b\r\ncontent-length: %d\r\n\r\n%b" % (self._head, ticket, len(body), body)

    def answered(self, answer: Answer, intent: Intent, credential_age_s: float | None) -> Outcome:
        """Judge an answer: plain success by the short way, everything else by the venue's table."""
        accepted = self._plain_success(answer, intent)
        if accepted is not None:
            return accepted
        attempt = judgement.answered(
            self._operation,
            Response(answer.status, answer.headers, answer.body),
            transaction_id=intent.key,
            ticket_age_s=credential_age_s,
            now=clock.now(),
        )
        return outcome_of(self._context.on_judged(attempt), intent)

    def failed(self, error: NotSent | NoAnswer | AuthError, intent: Intent) -> Outcome:
        """Judge the lack of an answer."""
        return outcome_of(judgement.failed(self._operation, error, transaction_id=intent.key), intent)

    def cancelled(self, intent: Intent) -> Outcome:
        """Judge a call whose caller went away."""
        return outcome_of(judgement.cancelled(self._operation, transaction_id=intent.key), intent)

    def _plain_success(self, answer: Answer, intent: Intent) -> Accepted | None:
        """The outcome, if the answer is the documented success form and nothing else; None sends it the long way."""
        if (found := _plain(answer)) is None:
            return None
        said, first, number, last = found.groups()
        echoed = None
        if first is not None or last is not None:
            echoed = (first or last).decode("ascii")
            if echoed != intent.key:
                return None
        bid_id = number.decode("ascii")
        if intent.restated.get("bid_id", bid_id) != bid_id:  # an answer about another bid
            return None
        try:
            description = _description(said)
        except UnicodeDecodeError:
            return None
        if self._context.named_before(self.operation, bid_id):
            return None
        envelope = Answered(
            self._operation, intent.key, echoed, 200, "0", description, ResultType.SUCCESS, "SUCCESS",
            {"bidResponse": {"id": bid_id}},
        )  # fmt: skip
        return Accepted(intent, OrderRef(VENUE, bid_id, intent, intent.restated), envelope)


def _success() -> re.Pattern[bytes]:
    """The documented success of a bid call, in the order of fields of the definition or of the overview's sample.

    An identifier that could be a ticket is left to the long way.
    """
    echo = rb'"transactionId":"(?P<%b>[A-Za-z0-9-]{1,64})"'
    body = rb'"body":\{"bidResponse":\{"id":"(?P<id>(?![^"]*[Tt]-)[A-Za-z0-9._-]{1,64})"\}\}'
    start = rb'"resultCode":"0","resultDescription":"(?P<description>[^"\\\x00-\x1f]{0,200})","resultType":"SUCCESS"'
    return re.compile(
        rb"[ \t\r\n]*\{%b(?:,%b)?,%b(?:,%b)?\}[ \t\r\n]*" % (start, echo % b"first", body, echo % b"last")
    )


def repeats(answer: Answer, key: str) -> bool:
    """Whether the answer's envelope names ``key``, as the table reads it: a copy is then known from another's answer."""
    if key.encode("ascii") not in answer.body:
        return False
    if (found := _plain(answer)) is not None:
        return key.encode("ascii") in found.group("first", "last")
    return wire.named_transaction(Response(answer.status, answer.headers, answer.body)) == key


def _plain(answer: Answer) -> re.Match[bytes] | None:
    """The parts of an answer that is the documented success form and nothing else; None for any other."""
    if answer.status != 200 or (found := _SUCCESS.fullmatch(answer.body)) is None:
        return None
    if _LONG_WAY.search(answer.content_type) is not None or None not in found.group("first", "last"):
        return None
    return found


_SUCCESS = _success()
_LONG_WAY = re.compile(rb"html|charset(?!=\"?utf-8\b)")
"""What stands in front of a venue calls anything HTML; in another character set the description is other text."""


@functools.lru_cache(maxsize=64)
def _description(text: bytes) -> str:
    return mask(text.decode("utf-8").strip()[: wire.MAX_TEXT])


def bid_save(
    context: Context,
    contract: str,
    direction: Direction,
    bid_type: BidType,
    bid_status: BidStatus,
    places: int | None,
    point_name: str | None = None,
) -> StpForm:
    """New bids of one contract, side, type, state and network point. Slots: price, quantity, and expire_time where the type has it."""
    timed = bid_type == BidType.MATCH_WITH_TIME_LIMIT

    def build(values: Mapping[str, Any]) -> StpRequest:
        return rules.bid_save(
            contract,
            direction=direction,
            price=values["price"],
            quantity=values["quantity"],
            bid_type=bid_type,
            bid_status=bid_status,
            expire_time=values.get("expire_time"),
            point_name=point_name,
            places=places,
        )

    fixed = {
        "contract": contract,
        "direction": str(direction),
        "bid_type": str(bid_type),
        "bid_status": str(bid_status),
    }
    if point_name is not None:
        fixed["point_name"] = point_name
    return StpForm(
        context, "bid_save", (_price(places), _COUNT, _MOMENT) if timed else (_price(places), _COUNT), build, fixed
    )


def bid_update(context: Context, bid_status: BidStatus, places: int | None) -> StpForm:
    """Restated bids. Slots: bid_id, price, quantity."""

    def build(values: Mapping[str, Any]) -> StpRequest:
        return rules.bid_update(
            values["bid_id"],
            price=values["price"],
            quantity=values["quantity"],
            bid_status=bid_status,
            places=places,
        )

    return StpForm(context, "bid_update", (_BID_ID, _price(places), _COUNT), build, {"bid_status": str(bid_status)})


def bid_cancel(context: Context) -> StpForm:
    """Cancellations. Slot: bid_id."""
    return StpForm(context, "bid_cancel", (_BID_ID,), lambda values: rules.bid_cancel(values["bid_id"]), {})

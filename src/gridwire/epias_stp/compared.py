"""Whether an answer that says yes fits what was sent. Pure functions.

``SUCCESS`` speaks of the call as a whole. Some answers say more: which bid it was about, the gate or the contract as it is
now, the state of every match, and for every payment order a status of its own (STP document 7.26, 7.33, 7.50, 7.56). What
they say has to fit. A payment is accepted by its status alone, never by the absence of one.

==========================================  ==========================================================
the answer                                  what it means
==========================================  ==========================================================
names something that was not sent           it may be another call's answer: unknown, for all of the call
contradicts a field that was sent           unknown
has a content that is none of its own       unknown
leaves an entry of a list out               unknown, for that entry
a payment's status ``ACCEPTED``             accepted
a payment's status ``REJECTED``             refused
another status of a payment, or none        unknown
==========================================  ==========================================================

The two words for a payment's status are inferred: the document lists none.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, cast

from gridwire.epias_stp.errors import StpProtocolError
from gridwire.epias_stp.judgement import bid_id
from gridwire.epias_stp.models import (
    BidAnswer,
    ContractDetails,
    ContractGate,
    MatchDetails,
    MatchList,
    NamedCode,
    PaymentOrderResult,
    PaymentResults,
)
from gridwire.epias_stp.wire import Envelope
from gridwire.outcome import Cause

TAKEN = "ACCEPTED"
REFUSED = "REJECTED"

Sent: TypeAlias = Mapping[str, Any]
"""The fields of one intent, as `gridwire.epias_stp.restated` names them."""


@dataclass(frozen=True, slots=True)
class Differs:
    """The answer does not fit. ``what`` goes on from "STP said yes, but"."""

    cause: Cause
    what: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer refuses this entry. ``words`` are the venue's."""

    code: str
    words: str


Finding: TypeAlias = Differs | Refused | None
"""None: it fits."""


def findings(envelope: Envelope, sent: Sequence[Sent]) -> list[Finding]:
    """One finding for each of the intents that the call carried, in their order."""
    compare = _COMPARE[envelope.operation.name]
    try:
        return compare(envelope, sent)
    except StpProtocolError as error:
        return [Differs("unreadable", f"its details cannot be read: {error.args[0]}")] * len(sent)


def _new_bid(envelope: Envelope, sent: Sequence[Sent]) -> list[Finding]:
    # Its identifier was found already, and nothing that was sent is told again.
    return [None] * len(sent)


def _nothing(envelope: Envelope, sent: Sequence[Sent]) -> list[Finding]:
    envelope.model()
    return [None] * len(sent)


def _bid(envelope: Envelope, sent: Sequence[Sent]) -> list[Finding]:
    named = (cast("BidAnswer", envelope.model()).bid_id or "").strip()
    which = f"the bid {named}" if bid_id(envelope) == named else "another bid"  # a ticket in its place is not repeated
    return [
        Differs("foreign_answer", f"about {which}, which is not the one that was sent.")
        if named and fields.get("bid_id") is not None and named != str(fields["bid_id"])
        else None
        for fields in sent
    ]


def _gate(envelope: Envelope, sent: Sequence[Sent]) -> list[Finding]:
    gate = cast("ContractGate", envelope.model())
    told = {
        "gate_id": gate.contract_gate_id,
        "gate_status": _code(gate.gate_status),
        "start_date": gate.start_date,
        "end_date": gate.end_date,
    }
    return [_same(fields, told) for fields in sent]


def _contract(envelope: Envelope, sent: Sequence[Sent]) -> list[Finding]:
    contract = cast("ContractDetails", envelope.model())
    told = {
        "contract_type": _code(contract.contract_type),
        "direction": _code(contract.direction),
        "quantity": contract.quantity,
    }
    if _code(contract.contract_status) == REFUSED:
        return [Differs("contradictory", f"the contract's status is {REFUSED}.")] * len(sent)
    lists: Mapping[str, Sequence[Any]] = {
        "gas_days": [day.gas_day_date for day in contract.gas_days if day.gas_day_date is not None],
        "physical_point_ids": contract.physical_point_ids,
    }
    return [_same(fields, told) or _among(fields, lists) for fields in sent]


def _same(fields: Sent, told: Mapping[str, Any]) -> Finding:
    """Whether what an answer tells of fields that were sent is what was sent; what it leaves out says nothing."""
    for name, value in told.items():
        if value is not None and name in fields and value != _on_the_wire(fields[name]):
            return Differs("contradictory", f"with {name} {value}, where {fields[name]} was sent.")
    return None


def _among(fields: Sent, told: Mapping[str, Sequence[Any]]) -> Finding:
    # An older shape of the answer names one day where several were sent (STP document 2.1).
    for name, values in told.items():
        other = [value for value in values if value not in fields.get(name, values)]
        if other:
            return Differs("contradictory", f"with {name} {', '.join(map(str, other))}, which was not sent.")
    return None


def _on_the_wire(value: Any) -> Any:
    if isinstance(value, datetime):  # written to the millisecond
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value


def _matches(envelope: Envelope, sent: Sequence[Sent]) -> list[Finding]:
    if envelope.flag is True:  # a bare yes to all, as the document's overview shows one
        return [None] * len(sent)

    def fits(fields: Sent, match: MatchDetails) -> Finding:
        status = _code(match.match_status)
        if status is None:
            return Differs("contradictory", f"without a status of match {match.match_id}.")
        return _same(fields, {"status": status})

    matches = cast("MatchList", envelope.model()).matches
    return _each(sent, "match_id", "match", [(match.match_id, match) for match in matches], fits)


def _payments(envelope: Envelope, sent: Sequence[Sent]) -> list[Finding]:
    def fits(fields: Sent, result: PaymentOrderResult) -> Finding:
        differs = _same(fields, {"eic": result.eic or None, "amount": result.amount})
        if differs is not None:
            return differs
        status = result.status.code if result.status is not None else ""
        if status == REFUSED:
            return Refused(status, result.status.text if result.status is not None else "")
        if status == TAKEN:
            return None
        said = f"with the status {status!r}, which is not known," if status else "without a status"
        return Differs("contradictory", f"{said} of payment order {fields.get('payment_order_id')}.")

    results = cast("PaymentResults", envelope.model()).results
    return _each(
        sent, "payment_order_id", "payment order", [(result.payment_order_id, result) for result in results], fits
    )


def _each(
    sent: Sequence[Sent],
    name: str,
    noun: str,
    told: Sequence[tuple[Hashable, Any]],
    fits: Callable[[Sent, Any], Finding],
) -> list[Finding]:
    """Compare a list's entries with those that were sent, by the number or name that both carry."""
    ours = {fields.get(name) for fields in sent}
    strangers = [number for number, _ in told if number not in ours]
    if strangers:
        what = (
            f"about {noun} {strangers[0] or 'without a number'}, which was not sent: it may be another call's answer."
        )
        return [Differs("foreign_answer", what)] * len(sent)
    found: list[Finding] = []
    for fields in sent:
        entries = [entry for number, entry in told if number == fields.get(name)]
        if len(entries) == 1:
            found.append(fits(fields, entries[0]))
        else:
            how = "several times" if entries else "nowhere"
            found.append(Differs("contradictory", f"it names {noun} {fields.get(name)} {how}."))
    return found


def _code(value: NamedCode | None) -> str | None:
    return (value.code or None) if value is not None else None


_COMPARE: Mapping[str, Callable[[Envelope, Sequence[Sent]], list[Finding]]] = {
    "bid_save": _new_bid,
    "bid_update": _bid,
    "bid_cancel": _bid,
    "contract_gate_change_status": _gate,
    "contract_gate_update": _gate,
    "contract_conf_save": _nothing,
    "contract_save": _contract,
    "match_change_status": _matches,
    "payment_order": _payments,
}
"""Every call that changes something. Saving a configuration answers nothing (STP document 7.18)."""

"""How a command that changes something at STP runs: one question, one request, an exit code for what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridwire.cli import interrupts
from gridwire.cli.exits import ExitCode
from gridwire.cli.output import ReaderGone, StdoutFull, clean, local, out, out_json, tell
from gridwire.cli.stp import values
from gridwire.cli.stp.link import Link
from gridwire.errors import InvalidInput
from gridwire.outcome import Accepted, Outcome, Rejected, Unknown

if TYPE_CHECKING:
    from gridwire.epias_stp import EpiasStp

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before a write at production.")]
ClientRef = Annotated[
    str | None,
    typer.Option("--client-ref", metavar="REF", help="Your own key: refused if the journal has it already, so that nothing is sent twice."),
]  # fmt: skip
TransactionId = Annotated[
    str | None,
    typer.Option("--transaction-id", metavar="UUID", help="The call's id, which EPİAŞ asks for; a new one unless set."),
]

Act = Callable[["EpiasStp", str], Awaitable["Outcome | list[Outcome]"]]
"""Makes the call under the transactionId given. A call that carries a list has an outcome for each entry."""
Done = Callable[[Accepted], str]
"""What was done, as a sentence goes on after "Accepted: "."""

_BIDS = ("bid_save", "bid_update", "bid_cancel")
_ANSWERED = ("contract_save", "contract_gate_update", "contract_gate_change_status")
"""Calls whose answer says how the thing is now."""


def write(link: Link, act: Act, what: str, done: Done, *, yes: bool, transaction_id: str | None) -> int:
    """Have ``what`` agreed to at production, make the call, tell what became of it. Returns the exit code."""
    from gridwire.epias_stp import rules

    # Made here, so that what became of this call can be told from what earlier ones left.
    key = values.checked(rules.transaction_id, transaction_id)
    link.confirm(what, yes=yes)
    reached: list[ExitCode] = []

    async def work(stp: EpiasStp) -> ExitCode:
        try:
            came = await act(stp, key)
        except asyncio.CancelledError:
            # Ctrl-C. If bytes had left, the client has kept what is known.
            kept = [unknown for unknown in stp.unknown() if unknown.intent.key.partition("/")[0] == key]
            if not kept:
                tell("Interrupted before anything was sent.")
                raise
            came = list[Outcome](kept) if len(kept) > 1 or kept[0].intent.operation in _LISTS else kept[0]
        before = await _before(stp, came)
        reached.append(_code(came if before is None else before))
        interrupts.settle()
        if before is None:
            _say(came, done, as_json=link.json)
        else:
            _say(before if isinstance(came, list) else before[0], None, as_json=link.json)
        return reached[0]

    try:
        return link.run(work)
    except (Exception, KeyboardInterrupt) as error:
        # The code must say what became of the call, even if something failed while the client was closed.
        if reached:
            return reached[0]
        if isinstance(error, InvalidInput) and "Nothing was sent" not in str(error):
            raise InvalidInput(f"{error} Nothing was sent.") from None
        raise


_LISTS = ("match_change_status", "payment_order")


async def _before(stp: EpiasStp, came: Outcome | list[Outcome]) -> list[Outcome] | None:
    """What became of the same call when it was made before; None where it was not, and for another with its key."""
    from gridwire.epias_stp.earlier import REPEATED

    outcomes = came if isinstance(came, list) else [came]
    refused = [one for one in outcomes if isinstance(one, Rejected) and one.code in REPEATED]
    if not refused:
        return None
    before = await stp.earlier(*refused)
    if before is not None:
        tell("The journal has this call already, so nothing was sent. What became of it then:")
    return before


def _code(came: Outcome | Sequence[Outcome]) -> ExitCode:
    """The worst of them: what may have happened outweighs what certainly did not."""
    outcomes = came if isinstance(came, Sequence) else [came]
    if any(isinstance(one, Unknown) for one in outcomes):
        return ExitCode.UNKNOWN
    if not any(isinstance(one, Rejected) for one in outcomes):
        return ExitCode.DONE
    return ExitCode.PARTLY if any(isinstance(one, Accepted) for one in outcomes) else ExitCode.REJECTED


def _say(came: Outcome | list[Outcome], done: Done | None, *, as_json: bool) -> None:
    """Report it; what cannot go to stdout goes to stderr, for a bid's id must not be lost.

    Without ``done`` it is what became of an earlier call.
    """
    outcomes = came if isinstance(came, list) else [came]
    try:
        for outcome in outcomes:
            _report(outcome, done, as_json=as_json)
        if as_json:
            told = [{**as_dict(one), **({"already": True} if done is None else {})} for one in outcomes]
            out_json({"outcomes": told} if isinstance(came, list) else told[0])
    except (ReaderGone, StdoutFull) as error:
        why = str(error) or "nobody reads it any more"
        for outcome in outcomes:
            if isinstance(outcome, Accepted):
                tell(f"{_accepted(outcome, done)}. (It could not be written to stdout: {why}.)")


def _report(outcome: Outcome, done: Done | None, *, as_json: bool) -> None:
    match outcome:
        case Accepted() if not as_json:
            out(clean(_accepted(outcome, done)))
        case Rejected():
            tell(_entry(outcome) + outcome.reason, label="Rejected", style="red")
        case Unknown():
            tell(f"{_entry(outcome)}{outcome.reason} {_look(outcome)}".rstrip(), label="Unknown", style="yellow")


def _accepted(outcome: Accepted, done: Done | None) -> str:
    if done is None:
        bid = f", bid {outcome.order.id}" if outcome.order is not None else ""
        what = f"{_entry(outcome)}{outcome.intent.operation} of {local(outcome.intent.created)}{bid}"
    else:
        what = done(outcome)
    return f"Accepted: {what} [transactionId {outcome.intent.key.partition('/')[0]}]"


def _entry(outcome: Outcome) -> str:
    """Which entry of a list it is about."""
    intent = outcome.intent
    if intent is None or intent.operation not in _LISTS:
        return ""
    name = "payment_order_id" if intent.operation == "payment_order" else "match_id"
    return f"{'Payment' if name == 'payment_order_id' else 'Match'} {intent.restated.get(name)}: "


def _look(outcome: Unknown) -> str:
    contract = outcome.intent.restated.get("contract")
    if contract is None or outcome.intent.operation not in _BIDS:
        return ""
    return (
        f"`gridwire stp depth {contract}` and `gridwire stp matches {contract}` mark what is yours: a level or a match at "
        "this price that you do not know from another bid is this one."
    )


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """The outcome for programs. ``bid_id`` is that of an accepted bid, or the one to change or cancel.

    A bid's terms are its ``bid``, those of any other call its ``fields``; ``answer`` is how a contract or a gate is now.
    """
    intent = outcome.intent
    restated = dict(intent.restated) if intent is not None else {}
    operation = intent.operation if intent is not None else None
    facts: dict[str, Any] = {
        "outcome": type(outcome).__name__.lower(),
        "operation": operation,
        "transaction_id": intent.key.partition("/")[0] if intent is not None else None,
        "client_ref": intent.client_ref if intent is not None else None,
    }
    if operation in _BIDS:
        bid_id = restated.pop("bid_id", None)
        known = outcome.order.id if isinstance(outcome, Accepted) and outcome.order is not None else bid_id
        facts |= {"bid_id": known, "bid": restated}
    else:
        facts |= {"fields": restated}
    match outcome:
        case Accepted():
            answer = {"answer": outcome.raw.model()} if operation in _ANSWERED and hasattr(outcome.raw, "model") else {}
            return {**facts, **answer, "possibly_duplicate": outcome.possibly_duplicate}
        case Rejected():
            names = ("origin", "code", "reason", "repeatable", "retry_after_s")
            return facts | {name: getattr(outcome, name) for name in names}
        case Unknown():
            return {**facts, "cause": outcome.cause, "reason": outcome.reason}

"""``gridwire stp contract``, ``conf`` and ``gate``: master data of contracts, and the operator's calls that change them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from gridwire.cli.options import choice
from gridwire.cli.output import out_json
from gridwire.cli.stp import values, views
from gridwire.cli.stp.link import Link
from gridwire.cli.stp.reads import Contract
from gridwire.cli.stp.writes import ClientRef, TransactionId, Yes, write
from gridwire.errors import InvalidInput

if TYPE_CHECKING:
    from gridwire.epias_stp.models import GateSetting

GateId = Annotated[str, typer.Argument(metavar="GATE_ID", help="A gate's number, as `conf get` lists it.")]
ContractType = Annotated[str, typer.Argument(metavar="TYPE", help="The venue's name of a type of contract: STANDART …")]
_GATE = "GATE_ID,TYPE,STATUS,START,END"


def get(link: Link, contract: Contract, transaction_id: TransactionId = None) -> None:
    """Show the master data of one contract."""
    found = link.run(lambda stp: stp.contracts.get(contract, transaction_id=transaction_id))
    if link.json:
        out_json({"contract": found, "transaction_id": found.transaction_id})
    else:
        views.show_fields(found)


def save(
    link: Link,
    type: ContractType,
    side: Annotated[str, choice("buy", "sell", help="The side that the contract is made for.")],
    quantity: Annotated[str, typer.Option(metavar="COUNT", help="A count of 1000 Sm3.")],
    day: Annotated[list[str], typer.Option(metavar="DAY", help="A gas day: 2026-12-01. Once for each of them.")],
    point: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="The number of a network point. Once for each of them.")
    ] = None,
    client_ref: ClientRef = None,
    transaction_id: TransactionId = None,
    yes: Yes = False,
) -> int:
    """Make a contract (operator). Exit code 0 accepted, 3 rejected, 4 unknown: it may have been made."""
    count, days = values.quantity(quantity), [values.day(one, "--day") for one in day]
    points = [values.number(one, "--point") for one in point or ()]
    return write(
        link,
        lambda stp, key: stp.contracts.save(
            type, direction=side.upper(), quantity=count, gas_days=days, physical_point_ids=points,
            client_ref=client_ref, transaction_id=key,
        ),
        f"Make a contract {type} {side.upper()} of {quantity} x 1000 Sm3 for {', '.join(day)}",
        lambda outcome: f"contract {outcome.raw.model().contract_name or '(STP names none)'} made",
        yes=yes,
        transaction_id=transaction_id,
    )  # fmt: skip


def configuration(link: Link, contract: Contract, transaction_id: TransactionId = None) -> None:
    """Show limits, formulas and gates of one contract."""
    found = link.run(lambda stp: stp.contract_configuration.get(contract, transaction_id=transaction_id))
    if link.json:
        out_json({"contract": contract, "configuration": found, "transaction_id": found.transaction_id})
    else:
        views.show_fields(found)


def configure(
    link: Link,
    contract: Contract,
    dap_scope: Annotated[str, typer.Option(metavar="TIME", help="dapScopeDate, with an offset.")],
    dap_final: Annotated[str, typer.Option(metavar="TIME", help="dapFinalDate.")],
    grp_scope: Annotated[str, typer.Option(metavar="TIME", help="grpScopeDate.")],
    grp_final: Annotated[str, typer.Option(metavar="TIME", help="grpFinalDate.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One setting by the name that `conf get --json` has, like "
        "market_ceiling_price=25000.50. Once for each of them."),
    ] = None,
    gate: Annotated[
        list[str] | None, typer.Option(metavar=_GATE, help="A gate to store along. Once for each of them.")
    ] = None,
    client_ref: ClientRef = None,
    transaction_id: TransactionId = None,
    yes: Yes = False,
) -> int:  # fmt: skip
    """Store a contract's configuration (operator)."""
    times: dict[str, Any] = {
        "dap_scope_date": values.moment(dap_scope, "--dap-scope"),
        "dap_final_date": values.moment(dap_final, "--dap-final"),
        "grp_scope_date": values.moment(grp_scope, "--grp-scope"),
        "grp_final_date": values.moment(grp_final, "--grp-final"),
    }
    settings = _settings(set_ or [])
    gates = [_gate(text) for text in gate] if gate else None
    said = ", ".join(f"{name} {value}" for name, value in settings.items())
    return write(
        link,
        lambda stp, key: stp.contract_configuration.save(
            contract, **times, gates=gates, client_ref=client_ref, transaction_id=key, **settings
        ),
        f"Store the configuration of {contract}" + (f" with {said}" if said else ""),
        lambda _: f"configuration of {contract} stored",
        yes=yes,
        transaction_id=transaction_id,
    )


def update_gate(
    link: Link,
    gate_id: GateId,
    start: Annotated[str | None, typer.Option(metavar="TIME", help="When it opens, with an offset.")] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="When it closes, with an offset.")] = None,
    client_ref: ClientRef = None,
    transaction_id: TransactionId = None,
    yes: Yes = False,
) -> int:
    """Move a gate's begin, end, or both (operator)."""
    number = values.number(gate_id, "GATE_ID")
    start_date, end_date = values.maybe_moment(start, "--start"), values.maybe_moment(end, "--end")
    if start is None and end is None:
        raise InvalidInput("Nothing to change: write --start, --end, or both. Nothing was sent.")
    said = " and ".join(filter(None, (start and f"its begin to {start}", end and f"its end to {end}")))
    return write(
        link,
        lambda stp, key: stp.contract_gates.update(
            number, start_date=start_date, end_date=end_date, client_ref=client_ref, transaction_id=key
        ),
        f"Move of gate {gate_id} {said}",
        lambda _: f"gate {gate_id} moved",
        yes=yes,
        transaction_id=transaction_id,
    )


def change_gate(
    link: Link,
    gate_id: GateId,
    status: Annotated[str, typer.Argument(metavar="STATUS", help="The venue's word; it publishes no list: OPEN, CLOSED …")],
    client_ref: ClientRef = None,
    transaction_id: TransactionId = None,
    yes: Yes = False,
) -> int:  # fmt: skip
    """Open or close a gate (operator)."""
    number = values.number(gate_id, "GATE_ID")
    return write(
        link,
        lambda stp, key: stp.contract_gates.change_status(
            number, gate_status=status, client_ref=client_ref, transaction_id=key
        ),
        f"Set gate {gate_id} to {status}",
        lambda _: f"gate {gate_id} is {status}",
        yes=yes,
        transaction_id=transaction_id,
    )


def _settings(given: list[str]) -> dict[str, Any]:
    """Settings by name, those that count or number as int, the others as text; the call itself refuses unknown names."""
    from gridwire.epias_stp.models import ContractConfigurationSaveRequestBody

    fields = ContractConfigurationSaveRequestBody.model_fields
    settings: dict[str, Any] = {}
    for one in given:
        name, sign, value = (part.strip() for part in one.partition("="))
        if not sign or not name or not value:
            raise InvalidInput(f"--set {one!r} is not of the form NAME=VALUE. Nothing was sent.")
        if name in settings:
            raise InvalidInput(f"--set names {name} twice; write it once. Nothing was sent.")
        if name not in fields or name in _OPTIONS:
            raise InvalidInput(
                f"--set names {name}, which is no setting; these are: {', '.join(sorted(set(fields) - _OPTIONS))}. Nothing "
                "was sent."
            )
        counts = int in get_args(fields[name].annotation)
        settings[name] = values.number(value, f"--set {name}") if counts else value
    return settings


_OPTIONS = frozenset({"contract_name", "gates", "dap_scope_date", "dap_final_date", "grp_scope_date", "grp_final_date"})
"""What an argument or an option of its own says."""


def _gate(text: str) -> GateSetting:
    from gridwire.epias_stp import gate_setting

    number, kind, status, start, end = values.parts(text, "--gate", _GATE)
    return values.checked(
        gate_setting,
        values.number(number, "--gate"),
        gate_type=kind,
        gate_status=status,
        start_date=values.moment(start, "--gate"),
        end_date=values.moment(end, "--gate"),
    )

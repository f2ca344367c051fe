"""``gridwire stp match`` and ``payment``: changes of matches, and payment orders. Each entry has an outcome of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from gridwire import clock
from gridwire.cli.stp import values
from gridwire.cli.stp.link import Link
from gridwire.cli.stp.writes import ClientRef, TransactionId, Yes, write
from gridwire.errors import InvalidInput

_PAYMENT = "NUMBER,EIC,AMOUNT"


def change_match(
    link: Link,
    match_id: Annotated[list[str], typer.Argument(metavar="MATCH_ID", help="One match or several, as `matches` lists them.")],
    status: Annotated[str, typer.Option(metavar="STATUS", help="The venue's word; it publishes no list: CANCELLED …")],
    description: Annotated[str, typer.Option(metavar="TEXT", help="Why; it goes to the venue.")],
    client_ref: ClientRef = None,
    transaction_id: TransactionId = None,
    yes: Yes = False,
) -> int:  # fmt: skip
    """Change the state of matches (operator), all in one request.

    Each match has an outcome of its own. The exit code is 0 if all were accepted, 4 if one is unknown, 7 if some were accepted
    and the others refused, 3 if all were refused.
    """
    from gridwire.epias_stp import match_change

    changes = [values.checked(match_change, one, status=status, description=description) for one in match_id]
    return write(
        link,
        lambda stp, key: stp.matches.change_status(changes, client_ref=client_ref, transaction_id=key),
        f"Set {'match' if len(match_id) == 1 else 'matches'} {', '.join(match_id)} to {status}",
        lambda outcome: f"match {outcome.intent.restated['match_id']} is {status}",
        yes=yes,
        transaction_id=transaction_id,
    )


def order_payments(
    link: Link,
    payment: Annotated[
        list[str],
        typer.Argument(metavar=f"{_PAYMENT}…", help="One payment or several: its number, whom it pays (an EIC), and TL with a point: "
        "17,40X000000000123A,250000.75."),
    ],
    time: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it was asked for, with an offset; now unless set.")
    ] = None,
    client_ref: ClientRef = None,
    transaction_id: TransactionId = None,
    yes: Yes = False,
) -> int:  # fmt: skip
    """Order payments (settlement), all in one request. A repeated order pays twice: give a --client-ref.

    Each payment has an outcome of its own. The exit code is 0 if all were accepted, 4 if one is unknown, 7 if some were accepted
    and the others refused, 3 if all were refused.
    """
    from gridwire.epias_stp import payment as payment_of

    at = clock.now() if time is None else values.moment(time, "--time")
    orders, said = [], []
    for one in payment:
        number, eic, amount = values.parts(one, "PAYMENT", _PAYMENT)
        try:
            money = values.amount(amount, "AMOUNT", "TL")
        except InvalidInput as error:
            raise InvalidInput(f"PAYMENT {one!r} is {_PAYMENT}, and {error}") from None
        number_ = values.number(number, "PAYMENT")
        orders.append(values.checked(payment_of, number_, eic=eic, amount=money, request_time=at))
        said.append(f"{money} TL to {eic} (number {number})")
    return write(
        link,
        lambda stp, key: stp.payments.order(orders, client_ref=client_ref, transaction_id=key),
        f"Pay {', '.join(said)}",
        lambda outcome: f"payment {outcome.intent.restated['payment_order_id']} ordered",
        yes=yes,
        transaction_id=transaction_id,
    )

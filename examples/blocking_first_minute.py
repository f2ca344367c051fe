"""The first minute without ``async``: a venue on this machine, its contracts, one bid, and all three answers.

In a notebook, keep the client between cells: ``box = Sandbox("epias_stp").open()``, ``stp = EpiasStp(box.epias_stp).open()``.
"""

from gridwire import Accepted, Rejected, Unknown
from gridwire.sync import EpiasStp, Sandbox

with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp) as stp:
    contracts = [contract for contract in stp.contracts.standard() if contract.is_open()]
    for contract in contracts:
        print(contract.name, "best bid", contract.best_buy, "best offer", contract.best_sell)

    # TL per 1000 Sm3, and how many times 1000 Sm3.
    outcome = stp.bids.save(contracts[-1].name, direction="BUY", price="12000.50", quantity=155)
    match outcome:
        case Accepted(order=bid) if bid is not None:
            print("at the venue under the number", bid.id)
            print(
                "own levels:", [(str(level.price), level.amount) for level in stp.contracts.depth(contract.name).buys]
            )
            print("cancelled:", isinstance(stp.bids.cancel(bid), Accepted))
        case Rejected(origin=who, reason=why):
            print(who, "refused:", why)
        case Unknown(cause=cause):
            print("may be at the venue, look before you send it again:", cause)

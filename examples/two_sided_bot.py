"""A market maker small enough to read: it quotes both sides of a contract and lives with all three answers. See --help."""

import argparse
import asyncio
import contextlib
import itertools
from dataclasses import dataclass
from decimal import Decimal

from gridwire import Accepted, OrderRef, Rejected, Unknown
from gridwire.epias_stp import EpiasStp
from gridwire.sandbox import Sandbox

SPREAD, LOTS, LOOK_EVERY_S = Decimal("20.00"), 10, 0.25  # TL per 1000 Sm3; how many times 1000 Sm3


@dataclass
class Side:
    direction: str
    sign: int
    price: Decimal = Decimal(0)
    order: OrderRef | None = None
    resting: int = 0
    stopped: bool = False


class Bot:
    def __init__(self, stp: EpiasStp, contract: str, reference: Decimal) -> None:
        self.stp, self.contract, self.reference, self.position = stp, contract, reference, 0
        self.sides = self.buy, self.sell = Side("BUY", -1), Side("SELL", 1)

    async def run(self, seconds: float) -> None:
        self.seen = {match.match_id for match in await self.stp.matches.of(self.contract)}
        try:
            for _ in range(round(seconds / LOOK_EVERY_S)):
                await self.quote()
                await asyncio.sleep(LOOK_EVERY_S)
                await self.count_matches()
        finally:  # also after Ctrl-C
            await self.withdraw()

    async def quote(self) -> None:
        """Enter a bid on each side that has none, leaning against the position."""
        middle = self.reference - SPREAD / 20 * self.position / LOTS
        for side in [side for side in self.sides if side.resting <= 0 and not side.stopped]:
            side.price = (middle + side.sign * SPREAD / 2).quantize(Decimal("0.01"))
            match await self.stp.bids.save(self.contract, direction=side.direction, price=side.price, quantity=LOTS):
                case Accepted(order=order):
                    side.order, side.resting = order, LOTS
                    print(f"{side.direction:<4} {LOTS} at {side.price}: accepted")
                case Rejected(reason=why, repeatable=again):
                    side.stopped = not again
                    print(f"{side.direction:<4} {LOTS} at {side.price}: rejected. {why}")
                case Unknown() as outcome:  # it may be resting: a second bid could be one too many
                    side.stopped = True
                    await self.examine(outcome)

    async def count_matches(self) -> None:
        for match in await self.stp.matches.of(self.contract):
            if match.my_own_matching and match.match_id not in self.seen and match.price and match.quantity:
                self.seen.add(match.match_id)
                side = self.buy if 2 * match.price < self.buy.price + self.sell.price else self.sell
                side.resting -= match.quantity
                self.position -= side.sign * match.quantity
                print(f"{side.direction:<4} {match.quantity} at {match.price}: matched, position {self.position:+d}")

    async def examine(self, left: Unknown) -> None:
        """Look for a bid of unknown fate and say what was found. It is never entered again."""
        sent, depth = left.intent.restated, await self.stp.contracts.depth(self.contract)
        found = "neither book nor matches show it, which does not prove that it is not there"
        if any(level.owner and level.price == sent["price"] for level in depth.buys + depth.sells):
            found = f"it rests, under a number we do not know. Cancel it on STP's screen, quoting {left.intent.key}"
        elif any(m.my_own_matching and m.price == sent["price"] for m in await self.stp.matches.of(self.contract)):
            found = "it is not in the book, and there is an own match at its price: it was filled"
        print(f"{sent['direction']:<4} {sent['quantity']} at {sent['price']}: UNKNOWN ({left.cause}); {found}")

    async def withdraw(self) -> None:
        """Cancel what rests, and look again after every bid whose outcome is not known, interrupted ones included."""
        await self.count_matches()
        for side, order in [(side, side.order) for side in self.sides if side.order and side.resting > 0]:
            outcome = await self.stp.bids.cancel(order)
            done = "cancelled" if isinstance(outcome, Accepted) else f"NOT known to be cancelled. {outcome.reason}"
            print(f"{side.direction:<4} {side.resting} at {side.price}: {done}")
        for left in [left for left in self.stp.unknown() if left.intent.operation == "bid_save"]:
            await self.examine(left)
        print(f"position {self.position:+d} x 1000 Sm3, {len(self.stp.unknown())} outcomes unknown")


async def trade_against(stp: EpiasStp, contract: str, times: int) -> None:
    for direction in itertools.islice(itertools.cycle(["SELL", "BUY"]), times):
        depth = await stp.contracts.depth(contract)
        for best in (depth.buys if direction == "SELL" else depth.sells)[:1]:
            await stp.bids.save(contract, direction=direction, price=best.price, quantity=5)
        await asyncio.sleep(0.2)


async def main(options: argparse.Namespace) -> None:
    async with contextlib.AsyncExitStack() as stack:
        box = None if options.env else await stack.enter_async_context(Sandbox("epias_stp"))
        stp = await stack.enter_async_context(EpiasStp(box.epias_stp) if box else EpiasStp.from_env())
        contract = options.contract or [c.name for c in await stp.contracts.standard() if c.is_open()][-1]
        print(f"{contract} around {options.price} at {stp.profile.environment}")
        if box:
            if options.lose_an_answer:
                box.venue("epias_stp").faults.add("drop_after_execute", operation="bid_save", user="TRADER1")
            other = await stack.enter_async_context(EpiasStp(box.venue("epias_stp").account("TRADER2")))
            stack.callback(asyncio.create_task(trade_against(other, contract, int(options.seconds * 4))).cancel)
        await Bot(stp, contract, options.price).run(options.seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--env", action="store_true", help="the account in the environment instead of a sandbox")
    parser.add_argument("--contract", help="the last one in the list unless given")
    parser.add_argument("--price", type=Decimal, default=Decimal("12000.00"), help="TL per 1000 Sm3, the middle")
    parser.add_argument("--lose-an-answer", action="store_true", help="let the sandbox take a bid and never say so")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parser.parse_args()))

"""``python -m gridwire.bench``: the measurements without the command line's extra."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run one measurement. Returns 0 if every budget was kept, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m gridwire.bench", description="Measure gridwire on this machine.")
    parser.add_argument(
        "what",
        choices=["imports", "orders", "amqp"],
        help="imports: import times and the size of the base install; orders: what an order's way costs; amqp: what a "
        "notification costs",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--orders", type=int, default=3000, help="orders per contender")
    parser.add_argument("--messages", type=int, default=5000, help="notifications per contender and round")
    parser.add_argument("--rounds", type=int, default=6, help="interleaved rounds they are spread over")
    parser.add_argument("--plot", type=Path, help="write a PNG histogram of the orders' times to this file")
    options = parser.parse_args(arguments)
    if options.what == "imports":
        from gridwire.bench import imports

        report = imports.measure()
        print(json.dumps(report.as_dict()) if options.json else report.as_text())
        return 0 if report.kept else 1
    if options.what == "amqp":
        from gridwire.bench import amqp

        taken = amqp.measure(messages=options.messages, rounds=options.rounds, tell=_tell)
        print(json.dumps(taken.as_dict()) if options.json else taken.as_text())
        return 0 if taken.kept else 1
    from gridwire.bench import orders

    figures = orders.measure(orders=options.orders, rounds=options.rounds, tell=_tell)
    print(json.dumps(figures.as_dict()) if options.json else figures.as_text())
    if options.plot is not None:
        orders.plot(figures, options.plot)
    return 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run() -> int:
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read it has seen enough; what the interpreter flushes at its end goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


if __name__ == "__main__":
    sys.exit(_run())

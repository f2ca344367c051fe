"""``gridwire bench orders``: how long an order takes, beside what it cannot beat and what people write first.

Everything is measured in one run against one responder, in interleaved rounds, so that a change of the machine's mood
hits all contenders alike; ratios within the run are what counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gridwire.bench import contenders
from gridwire.bench.contenders import LOOPS, Sample, Target
from gridwire.errors import MissingExtra
from gridwire.observe.timings import STAGES

Tell = Callable[[str], None]

WITHIN_S = 90.0
"""Rounds are made smaller, or left out, where all would take longer: a slow machine ends too."""

FIRST_ROUND = 60
"""Orders of the first round, which shows how fast the machine is."""

LEAST = 20
"""A round with fewer orders would not be worth its connections."""


@dataclass(frozen=True, slots=True)
class Row:
    """One contender's figures, microseconds per order."""

    name: str
    tls: bool
    loop: str
    p50_us: float
    p99_us: float
    p999_us: float
    cpu_us: float

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class OrdersReport:
    """Rows, the ratios under TLS with the better loop, and where the desk's time goes."""

    rows: list[Row]
    ratios: dict[str, float]
    stages_us: dict[str, float]
    orders: int
    wall_us: dict[tuple[str, bool, str], list[float]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "rows": [row.as_dict() for row in self.rows],
            "ratios": self.ratios,
            "stages_us": self.stages_us,
            "orders": self.orders,
        }

    def as_text(self) -> str:
        """For people."""
        lines = [f"{self.orders} orders per row, microseconds per order", ""]
        lines.append(f"{'':<22}{'tls':<5}{'loop':<9}{'p50':>8}{'p99':>9}{'p99.9':>9}{'cpu':>8}")
        lines += [
            f"{row.name:<22}{'yes' if row.tls else 'no':<5}{row.loop:<9}{row.p50_us:>8.0f}{row.p99_us:>9.0f}"
            f"{row.p999_us:>9.0f}{row.cpu_us:>8.0f}"
            for row in self.rows
        ]
        lines += ["", "ratios, TLS, better loop:"]
        lines += [f"  {name:<22}{value:>7.2f}" for name, value in self.ratios.items()]
        lines += ["", "the desk's stages, TLS, better loop, p50 us:"]
        lines += [f"  {name:<22}{value:>7.1f}" for name, value in self.stages_us.items()]
        return "\n".join(lines)


def measure(*, orders: int = 3000, rounds: int = 6, tell: Tell = lambda _: None) -> OrdersReport:
    """Measure. ``orders`` per contender in all, spread over ``rounds``; fewer where that would take over `WITHIN_S`.

    Raises `MissingExtra` without trustme.
    """
    samples: dict[tuple[str, bool, str], Sample] = {}
    with _pinned() as cores, contextlib.ExitStack() as stack:
        core = cores[-1] if len(cores) > 1 else None
        targets = [stack.enter_context(_responder(tls=tls, core=core)) for tls in (False, True)]
        payloads = [contenders.order_bytes(target) for target in targets]
        started, pace_s, wanted = time.perf_counter(), 0.0, orders
        for number in range(rounds):
            count = min(-(-wanted // (rounds - number)), orders if number or rounds == 1 else FIRST_ROUND)
            if number:
                left_s = WITHIN_S - (time.perf_counter() - started)
                count = min(count, fitting(left_s / (rounds - number), pace_s))
                if count < min(LEAST, wanted):
                    tell(f"This machine is slow: measured {number} of {rounds} rounds, {orders - wanted} orders each.")
                    break
            tell(f"round {number + 1} of {rounds}")
            began, wanted = time.perf_counter(), wanted - count
            for target, payload in zip(targets, payloads, strict=True):
                for key, sample in _round(target, payload, count):
                    kept = samples.setdefault(key, Sample())
                    kept.wall_ns += sample.wall_ns
                    kept.cpu_ns += sample.cpu_ns
                    kept.stages_ns += sample.stages_ns
            pace_s = (time.perf_counter() - began) / (count + contenders.WARM_UP)
    return _report(samples)


def fitting(left_s: float, pace_s: float) -> int:
    """How many orders per contender fit into the time left for a round, where one took ``pace_s`` in the round before."""
    return max(int(left_s / pace_s) - contenders.WARM_UP, 0)


def _round(target: Target, payload: bytes, count: int) -> Iterator[tuple[tuple[str, bool, str], Sample]]:
    tls = target.ca_pem is not None
    yield ("floor", tls, "none"), contenders.floor(target, count, payload)
    for name, factory in LOOPS.items():
        with asyncio.Runner(loop_factory=factory) as runner:
            yield ("desk", tls, name), runner.run(contenders.desk(target, count))
    for name, contender in (
        ("httpx_cached_ticket", contenders.httpx_cached_ticket),
        ("httpx_naive", contenders.httpx_naive),
    ):
        yield (name, tls, "asyncio"), asyncio.run(contender(target, count))


def _report(samples: dict[tuple[str, bool, str], Sample]) -> OrdersReport:
    rows = [_row(key, sample) for key, sample in samples.items()]
    rows.sort(key=lambda row: (not row.tls, _ORDER.index(row.name), row.loop))
    secure = {(row.name, row.loop): row for row in rows if row.tls}
    floor = secure["floor", "none"]
    desk = min((row for (name, _), row in secure.items() if name == "desk"), key=lambda row: row.p50_us)
    cached, naive = secure["httpx_cached_ticket", "asyncio"], secure["httpx_naive", "asyncio"]
    ratios = {
        "desk_to_floor_p50": desk.p50_us / floor.p50_us,
        "desk_to_floor_p99": desk.p99_us / floor.p99_us,
        "naive_to_desk_p50": naive.p50_us / desk.p50_us,
        "cached_to_desk_p50": cached.p50_us / desk.p50_us,
        "cpu_desk_to_cached": desk.cpu_us / cached.cpu_us,
    }
    stages = samples["desk", True, desk.loop].stages_ns
    return OrdersReport(
        rows=rows,
        ratios={name: round(value, 3) for name, value in ratios.items()},
        stages_us={
            name: round(statistics.median(times[position] for times in stages) / 1000, 1)
            for position, name in enumerate(STAGES)
        },
        orders=len(samples["floor", True, "none"].wall_ns),
        wall_us={key: [value / 1000 for value in sample.wall_ns] for key, sample in samples.items()},
    )


_ORDER = ("floor", "desk", "httpx_cached_ticket", "httpx_naive")


def _row(key: tuple[str, bool, str], sample: Sample) -> Row:
    name, tls, loop = key
    times = sorted(sample.wall_ns)

    def at(share: float) -> float:
        return round(times[min(int(len(times) * share), len(times) - 1)] / 1000, 1)

    cpu_us = round(sample.cpu_ns / len(times) / 1000, 1)
    return Row(name, tls, loop, at(0.5), at(0.99), at(0.999), cpu_us)


@contextlib.contextmanager
def _pinned() -> Iterator[list[int]]:
    """Keep this process on the first processor it may use; yields all it might, the responder goes to the last."""
    if not hasattr(os, "sched_setaffinity"):
        yield []
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield sorted(before)
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def _responder(*, tls: bool, core: int | None) -> Iterator[Target]:
    command = [sys.executable, "-m", "gridwire.bench.responder"]
    if core is not None:
        command += ["--core", str(core)]
    with tempfile.TemporaryDirectory(prefix="gridwire-bench-") as folder:
        ca_pem = None
        if tls:
            ca_pem, pem = _certificate()
            path = Path(folder) / "server.pem"
            path.touch(mode=0o600)
            path.write_bytes(pem)
            command += ["--tls", str(path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None  # noqa: S101 - told to the type checker
            yield Target(json.loads(process.stdout.readline())["port"], ca_pem)
        finally:
            process.communicate(timeout=10)


def _certificate() -> tuple[str, bytes]:
    try:
        import trustme
    except ImportError:
        raise MissingExtra("The benchmark needs certificates: pip install 'gridwire[sandbox]'") from None
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1")
    return authority.cert_pem.bytes().decode("ascii"), server.private_key_and_cert_chain_pem.bytes()


def plot(report: OrdersReport, path: Path) -> None:
    """Write a PNG with the distribution of order times under TLS. Raises `MissingExtra` without matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingExtra("The plot needs matplotlib: pip install 'gridwire[plot]'") from None
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 5))
    edges = [10 * 1.06**step for step in range(120)]
    for (name, tls, loop), times in sorted(report.wall_us.items()):
        if tls:
            label = name if loop in ("none", "asyncio") and name != "desk" else f"{name} ({loop})"
            axes.hist(times, bins=edges, histtype="step", label=label)
    axes.set(xscale="log", xlabel="microseconds from decision to outcome (TLS, loopback)", ylabel="orders")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)

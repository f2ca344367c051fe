"""What ``import gridwire`` costs: milliseconds, and distributions in a base install.

Each import is timed in a process of its own, because a second import in the same process costs nothing. The bare
interpreter is started in turn with the imports, so that a change of the machine's mood hits both, and its best time is
subtracted. The best of several runs is the figure: everything that disturbs a run makes it slower, never faster.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from typing import Any

RUNS = 7
BASE_BUDGET = 23
"""Distributions in a base install, gridwire included."""

_NOTHING = "pass"
_STEPS = (
    ("import gridwire", "import gridwire", _NOTHING, 40.0),
    ("from gridwire.epias_stp import EpiasStp", "from gridwire.epias_stp import EpiasStp", "import gridwire", 330.0),
)
"""What is measured, the code that does it, the code whose time is subtracted, and the budget in milliseconds."""


@dataclass(frozen=True)
class Figure:
    """One measured number and the most it may be."""

    name: str
    value: float
    budget: float
    unit: str

    @property
    def kept(self) -> bool:
        """Whether the budget was kept."""
        return self.value <= self.budget

    @property
    def decimals(self) -> int:
        """How many decimals are worth printing."""
        return 1 if self.unit == "ms" else 0


@dataclass(frozen=True)
class Report:
    """All figures, and what stands in the way of a clean install."""

    figures: tuple[Figure, ...]
    distributions: tuple[str, ...]
    """The base install, gridwire first."""
    without_wheel: tuple[str, ...]
    """Distributions that were built here: where they have no wheel, a user needs a compiler."""

    @property
    def kept(self) -> bool:
        """Whether every budget was kept."""
        return all(figure.kept for figure in self.figures)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values for programs."""
        return {
            "kept": self.kept,
            "figures": [
                {"name": f.name, "value": round(f.value, 1), "budget": f.budget, "unit": f.unit, "kept": f.kept}
                for f in self.figures
            ],
            "distributions": list(self.distributions),
            "without_wheel": list(self.without_wheel),
            "python": sys.version.split()[0],
            "runs": RUNS,
        }

    def as_text(self) -> str:
        """The report as a table for people."""
        rows = [
            f"{f.name:<42}{f.value:8.{f.decimals}f} {f.unit:<14} budget {f.budget:5.0f}  {'kept' if f.kept else 'BROKEN'}"
            for f in self.figures
        ]
        rows.append(f"base install: {', '.join(self.distributions)}")
        if self.without_wheel:
            rows.append(f"built on this machine: {', '.join(self.without_wheel)}")
        rows.append(f"gridwire: {'all budgets kept' if self.kept else 'a budget is BROKEN'} (best of {RUNS} runs)")
        return "\n".join(rows)


def measure(runs: int = RUNS) -> Report:
    """Time the imports and count the base install of this environment. Takes a few seconds."""
    best = _best_milliseconds({_NOTHING, *(s[1] for s in _STEPS), *(s[2] for s in _STEPS)}, runs)
    figures = [Figure(name, best[code] - best[less], budget, "ms") for name, code, less, budget in _STEPS]
    names = base_install()
    figures.append(Figure("base install", len(names), BASE_BUDGET, "distributions"))
    return Report(tuple(figures), names, tuple(name for name in names[1:] if not _from_wheel(name)))


def _best_milliseconds(codes: set[str], runs: int) -> dict[str, float]:
    """The shortest life of a process that runs each code. One round first fills the bytecode caches and is not counted."""
    best = dict.fromkeys(codes, float("inf"))
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("COVERAGE_", "PYTHONDONTWRITE"))
    }
    for turn in range(runs + 1):
        for code in best:
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, env=environment)
            spent = (time.perf_counter() - started) * 1000
            if turn:
                best[code] = min(best[code], spent)
    return best


def base_install(root: str = "gridwire") -> tuple[str, ...]:
    """What ``pip install gridwire`` brings on this interpreter, ours first, read from the installed distributions.

    Requirements of extras are left out. One that a marker excludes on this interpreter is not installed, so it does not
    count either.
    """
    found = {root: None}
    waiting = [root]
    while waiting:
        for requirement in metadata.requires(waiting.pop()) or ():
            text, _, marker = requirement.partition(";")
            match = re.match(r"[A-Za-z0-9._-]+", text.strip())
            if match is None or re.search(r"\bextra\b", marker):
                continue
            name = re.sub(r"[-_.]+", "-", match[0]).lower()
            if name not in found and _installed(name):
                found[name] = None
                waiting.append(name)
    return (root, *sorted(found.keys() - {root}))


def _installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _from_wheel(name: str) -> bool:
    """Whether the installer took ``name`` as a ready wheel.

    A wheel that pip built from source is recorded like a published one, except that Linux wheels of an index never carry
    the plain ``linux_…`` tag.
    """
    text = metadata.distribution(name).read_text("WHEEL") or ""
    tags = re.findall(r"^Tag: .*-(\S+)$", text, re.MULTILINE)
    return bool(tags) and not any(tag.startswith("linux_") for tag in tags)

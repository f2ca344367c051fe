"""Run the project's checks and say in one line each what they found.

``python tools/check.py`` runs all of them in order but the campaigns; names of checks run only those. Every check runs even if an earlier one
failed, the output of a failing one is shown whole, and the last line is the verdict.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Step:
    """One command. ``live`` ones show their output while they run."""

    label: str
    command: tuple[str, ...]
    live: bool = False


SEEDS = "tests/acceptance/epias_stp/test_seeds.py"
REAL_SERVERS = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),)
"""What the tests marked ``real`` need; the packages are listed in .ci/apt."""
HISTORIES = "tests/acceptance/siooi/test_histories.py"
EVIDENCE = "tests/acceptance/epias_stp/test_evidence_histories.py"

CHECKS: dict[str, tuple[Step, ...]] = {
    "style": (
        Step("ruff check", ("ruff", "check", ".")),
        Step("ruff format", ("ruff", "format", "--check", ".")),
    ),
    "imports": (Step("import contracts", ("lint-imports",)),),
    "types": (
        Step("mypy --strict", ("mypy",)),
        Step("pyright", ("pyright",)),
        Step("pyright, public types", ("pyright", "--verifytypes", "gridwire", "--ignoreexternal")),
    ),
    "tests": (
        Step(
            "pytest",
            (
                "pytest",
                "-n",
                "2",
                "-m",
                "not real",
                "--cov",
                "--cov-report=",
                f"--ignore={SEEDS}",
                f"--ignore={HISTORIES}",
                f"--ignore={EVIDENCE}",
            ),
            live=True,
        ),
        Step("coverage", ("python", "tools/check_coverage.py")),
        Step(
            "ten minutes of orders",
            ("pytest", "-k", "twenty_orders_a_second", "tests/acceptance/epias_stp/test_T50_armed_orders.py"),
        ),
        # Measuring coverage would treble its time. ``make campaigns`` plays all of what this plays a tenth of.
        Step("pytest, random histories", ("pytest", "-n", "2", SEEDS, EVIDENCE, HISTORIES)),
    ),
    "real": (Step("pytest, real servers", ("pytest", "-m", "real")),),
    "campaigns": (
        Step("a thousand sessions", ("pytest", "-n", "2", SEEDS)),
        Step("evidence, 2,000 histories", ("pytest", "-n", "2", EVIDENCE)),
        Step("documents, 2,000 histories", ("pytest", "-n", "2", HISTORIES)),
    ),
    "docs": (Step("documentation", ("zensical", "build", "--strict", "--clean")),),
}


def environment() -> dict[str, str]:
    """The tools of this interpreter's environment first; pyright on its bundled node, asking no registry for news."""
    return {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
        "VIRTUAL_ENV": str(BIN.parent),
        "NO_COLOR": "1",
        "PYRIGHT_PYTHON_GLOBAL_NODE": "0",
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
    }


def run(step: Step) -> tuple[bool, str]:
    """Run one step. Returns whether it passed and its last line of output."""
    started = time.monotonic()
    process = subprocess.Popen(
        step.command, cwd=ROOT, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None  # noqa: S101
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if step.live:
            print(line, end="", flush=True)
    passed = process.wait() == 0
    if not passed and not step.live:
        print("".join(lines), end="")
    print(f"{'ok  ' if passed else 'FAIL'}  {step.label:<24}{time.monotonic() - started:6.1f} s", flush=True)
    return passed, lines[-1].strip() if lines else ""


def _without_servers() -> str:
    packages = " ".join((ROOT / ".ci" / "apt").read_text().split())
    return f"gridwire: left out the tests against real servers; apt-get install --no-install-recommends {packages} brings them"


def main(names: list[str]) -> int:
    """Run the named checks, or all. Returns the process's exit status."""
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        print(f"gridwire: no check named {', '.join(unknown)}; there are: {', '.join(CHECKS)}")
        return 2
    failed: list[str] = []
    counts = ""
    left_out = "" if all(server.exists() for server in REAL_SERVERS) or names else _without_servers()
    for name in names or [name for name in CHECKS if name != "campaigns"]:
        if name == "real" and left_out:
            continue
        for step in CHECKS[name]:
            passed, last = run(step)
            if not passed:
                failed.append(step.label)
            if step.label == "pytest":
                counts = ", ".join(re.findall(r"\d+ (?:passed|failed|errors?|skipped)", last))
    if failed:
        print(f"gridwire: FAILED: {', '.join(failed)}{f' ({counts})' if counts else ''}")
        return 1
    if left_out:
        print(left_out)
    what = "all checks passed" if not names else f"{', '.join(names)} passed"
    print(f"gridwire: {what}{f' ({counts})' if counts else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

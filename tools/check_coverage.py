"""Hold coverage to its bounds: branches of every pure module fully, and the whole package nearly so.

Reads what the last test run recorded, through coverage's own JSON report. The pure modules decide what happens to an order, and nothing but their
tests exercises each of their branches; the shells around them meet real sockets, whose every failure cannot be staged.
"""

from __future__ import annotations

import json
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OVERALL = 95.0
PURE = (
    "*/errors.py",
    "*/enums.py",
    "*/outcome.py",
    "*/clock.py",
    "*/units.py",
    "*/periods.py",
    "*/transport/exchange.py",
    "*/transport/classify.py",
    *(f"*/transport/xml/{name}.py" for name in ("canonical", "elements", "faults", "hardened")),
    "*/auth/cas.py",
    "*/auth/budget.py",
    "*/auth/ticket_pool.py",
    "*/auth/tickets.py",
    "*/intents/*.py",
    "*/orders/*.py",
    "*/transport/lane.py",
    "*/transport/amqp_failure.py",
    "*/transport/amqp_message.py",
    "*/transport/sasl.py",
    "*/transport/sasl_frames.py",
    "*/edsn_pie/broker_checks.py",
    "*/edsn_pie/claims.py",
    "*/edsn_pie/dedup.py",
    "*/edsn_pie/deliveries.py",
    "*/edsn_pie/reconnect.py",
    "*/auth/client_assertion.py",
    "*/rules.py",
    "*/wire.py",
    *(
        f"*/epias_stp/{name}.py"
        for name in (
            "book",
            "dates",
            "earlier",
            "evidence",
            "gone",
            "judgement",
            "operations",
            "operator_rules",
            "outcomes",
            "sentences",
            "wire_json",
            "wire_xml",
        )
    ),
    "*/epias_stp/models/*.py",
    *(f"*/edsn_pie/{name}.py" for name in ("decoder", "models", "profile", "settings")),
    *(f"*/siooi/{name}.py" for name in ("bodies", "checks", "letters", "models", "places", "profile", "templates")),
    "*/auth/login_session.py",
)


def some(items: list[Any]) -> str:
    """The first of ``items``, and how many more there are."""
    shown = ", ".join(map(str, items[:12])) or "none"
    return f"{shown} and {len(items) - 12} more" if len(items) > 12 else shown


def complaints(report: dict[str, Any]) -> list[str]:
    """What is below its bound, one line each."""
    found = []
    for name, file in sorted(report["files"].items()):
        if not any(fnmatch(name, pattern) for pattern in PURE) or file["summary"]["percent_covered"] >= 100:
            continue
        lines = some(file["missing_lines"])
        branches = some([f"{start}->{end}" for start, end in file["missing_branches"]])
        found.append(f"{name} is pure and must be covered whole; missing lines: {lines}; missing branches: {branches}")
    total = report["totals"]["percent_covered"]
    if total < OVERALL:
        found.append(f"the whole package: {total:.1f} %, must be {OVERALL:.0f} %; least covered:")
        partial = [item for item in report["files"].items() if item[1]["summary"]["percent_covered"] < 100]
        worst = sorted(partial, key=lambda item: -item[1]["summary"]["missing_lines"])[:10]
        found += [
            f"  {name}: {file['summary']['percent_covered']:.1f} %, missing lines: {some(file['missing_lines'])}"
            for name, file in worst
        ]
    return found


def main() -> int:
    """Print the complaints, or the total. Returns the process's exit status."""
    command = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", "-"]
    report = json.loads(subprocess.run(command, check=True, cwd=ROOT, capture_output=True).stdout)
    found = complaints(report)
    print("\n".join(found) if found else f"{report['totals']['percent_covered']:.1f} % of lines and branches covered")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m gridwire.bench``: the measurements without the command line's extra."""

from __future__ import annotations

import argparse
import json
import sys

from gridwire.bench.imports import measure


def main(arguments: list[str] | None = None) -> int:
    """Run one measurement. Returns 0 if every budget was kept, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m gridwire.bench", description="Measure gridwire on this machine.")
    parser.add_argument("what", choices=["imports"], help="imports: import times and the size of the base install")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args(arguments)
    report = measure()
    print(json.dumps(report.as_dict()) if options.json else report.as_text())
    return 0 if report.kept else 1


if __name__ == "__main__":
    sys.exit(main())

"""The command ``gridwire``. Needs the extra: ``pip install 'gridwire[cli]'``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_EXTRA = frozenset({"typer", "rich"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (the process's own by default) and return its exit code.

    The codes are those of `gridwire.cli.exits.ExitCode`, listed by ``gridwire --help``. Without the extra the answer is
    one sentence and the code of a missing setup, 5.
    """
    try:
        try:
            from gridwire.cli.app import run
        except ModuleNotFoundError as missing:
            if (missing.name or "").partition(".")[0] not in _EXTRA:
                raise
            print(
                "The command line needs packages that are not installed; install them with: pip install 'gridwire[cli]'",
                file=sys.stderr,
            )
            return 5
        return run(sys.argv[1:] if arguments is None else list(arguments))
    except KeyboardInterrupt:
        return 130

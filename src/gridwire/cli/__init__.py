"""The command ``gridwire``. Needs the extra: ``pip install 'gridwire[cli]'``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from gridwire.cli.interrupts import handled

_EXTRA = frozenset({"typer", "rich"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (the process's own by default) and return its exit code.

    The codes are those of `gridwire.cli.exits.ExitCode`, listed by ``gridwire --help``. Without the extra the answer is
    one sentence and the code of a missing setup, 5.
    """
    _take_any_letter()
    _have_stderr()
    try:
        with handled(own_process=arguments is None):
            try:
                from gridwire.cli.app import run
            except ModuleNotFoundError as missing:
                if (missing.name or "").partition(".")[0] not in _EXTRA:
                    raise
                print(
                    "The command line needs packages that are not installed; install them with: pip install "
                    "'gridwire[cli]'",
                    file=sys.stderr,
                )
                return 5
            return run(sys.argv[1:] if arguments is None else list(arguments))
    except KeyboardInterrupt:
        return 130


def _have_stderr() -> None:
    """Where stderr was closed (``2>&-``) notes go nowhere: ``print`` and rich would put them among the results."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process


def _take_any_letter() -> None:
    """A terminal or pipe that knows no Turkish letters gets a question mark for them, not a traceback."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")

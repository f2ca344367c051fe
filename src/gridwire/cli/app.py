"""The command line's root: its groups, its global switches, and where every error becomes a paragraph and a code.

Nothing here imports a venue: ``gridwire --help`` must answer at once.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Annotated

import typer

from gridwire import __version__
from gridwire.cli import bench, demo, journal, pie, sandbox, siooi, stp
from gridwire.cli.exits import ExitCode, code_of, listing
from gridwire.cli.output import ReaderGone, StdoutFull, clean, out, readable, tell, tell_error
from gridwire.errors import GridwireError

_DEBUG = "--debug"

_OPERATORS_CALL = "Whether the call acted stands in the journal: `gridwire journal list`. "
_MAY_HAVE_LEFT = {
    ("bid",): "Whether the bid is at the venue is not known: look at depth and matches before you repeat it. ",
    ("submit",): "Whether a document is at the venue stands in the journal: `gridwire siooi journal`. ",
    ("contract", "save"): _OPERATORS_CALL,
    ("conf", "save"): _OPERATORS_CALL,
    ("gate",): _OPERATORS_CALL,
    ("match",): _OPERATORS_CALL,
    ("payment",): _OPERATORS_CALL,
}
"""What a command that changes something says of a failure of ours, by the words that name it."""

_EPILOG = f"""\b
Exit codes:
{listing()}

\b
Results go to stdout, everything else to stderr. --json prints one object on
one line (streams: one per line), prices as strings, instants with an offset.
{_DEBUG} shows the traceback of an error. It may stand anywhere.
"""

app: typer.Typer = typer.Typer(
    name="gridwire",
    help="Trade at energy venues, and try it all on this machine first: `gridwire demo`.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("sandbox")(sandbox.sandbox)
app.add_typer(stp.app, name="stp")
app.add_typer(pie.app, name="pie")
app.add_typer(siooi.app, name="siooi")
app.add_typer(journal.app, name="journal")
app.add_typer(bench.app, name="bench")


def _version(asked: bool) -> None:
    if asked:
        out(f"gridwire {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option(_DEBUG, help="Show the traceback of an error.")] = False,
) -> None:
    """What stands before the command. ``debug`` never arrives here: `run` has taken it out."""


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code. Raises nothing but `KeyboardInterrupt` before a command started."""
    debug = _DEBUG in arguments
    readable()
    command = typer.main.get_command(app)
    # Without a handler, Python would print the library's warnings a second time.
    logging.getLogger("gridwire").addHandler(logging.NullHandler())
    try:
        command.main([word for word in arguments if word != _DEBUG], prog_name="gridwire")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.DONE
    except ReaderGone:
        return ExitCode.DONE
    except StdoutFull as error:
        tell(f"The result could not be written to stdout: {error}. {error.then}".rstrip(), label="Error", style="red")
        return ExitCode.FAILED
    except GridwireError as error:
        _trace(debug)
        tell_error(str(error))
        return code_of(error)
    except Exception as error:  # noqa: BLE001 - the last place before a user would see a traceback
        _trace(debug)
        what_now = next((text for words, text in _MAY_HAVE_LEFT.items() if set(words) <= set(arguments)), "")
        tell(
            f"gridwire failed in a way that it should not: {type(error).__name__}: {_first_line(error)}. {what_now}--debug "
            "shows where it failed.",
            label="Error",
            style="red",
        )
        return ExitCode.UNKNOWN if what_now else ExitCode.FAILED
    return ExitCode.DONE


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200].rstrip(".")


def _trace(wanted: bool) -> None:
    if wanted:
        for line in traceback.format_exc().splitlines():
            print(clean(line), file=sys.stderr)

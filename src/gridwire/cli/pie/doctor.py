"""``gridwire pie doctor``: whether everything is set up, and if not, what is missing."""

from __future__ import annotations

from gridwire.cli.exits import ExitCode
from gridwire.cli.output import Column, out_json, show_table
from gridwire.cli.pie.link import Link

_COLUMNS = (Column("Looked at"), Column("State"), Column("Found"))


def doctor(link: Link) -> int:
    """Check the set-up: key, clock, identity provider, token and its claims, API, broker and queue. Takes no message.

    Exit code 0 if nothing failed, 1 if something did.
    """
    found = link.run(lambda pie: pie.examine())
    ok = all(finding.state != "failed" for finding in found)
    if link.json:
        out_json({"ok": ok, "findings": [{"name": f.name, "state": f.state, "text": f.text} for f in found]})
    else:
        show_table(_COLUMNS, [(finding.name, finding.state, finding.text) for finding in found])
    return ExitCode.DONE if ok else ExitCode.FAILED

"""What a file of settings leaves in or around a value, told without showing the value."""

from __future__ import annotations

import unicodedata

_PAIRS = ('""', "''", "``", "“”", "„“", "‘’", "«»")
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of control characters, of invisible ones such as a byte-order mark, of half characters, and of line ends."""


def flaw(text: str) -> str | None:
    """What is around or in ``text`` that belongs to the file it came from, and what to do; None if nothing is."""
    if text.endswith(("\r", "\n")):
        return (
            "ends with a line end (CR or LF), as an .env file edited on Windows or a secret written with `echo` leaves it: "
            "take it away, with `tr -d '\\r\\n'` say"
        )
    if any(unicodedata.category(letter) in _UNSEEN for letter in text):
        return "holds a control character or an invisible one (a line end, a byte-order mark): write it anew, by hand"
    bare = text.strip()
    if len(bare) > 1 and bare[0] + bare[-1] in _PAIRS:
        return (
            "stands in quotes, which would be sent with it: docker --env-file and other readers of files do not take them off. "
            "Take them away; if they are part of it, have it changed at the venue"
        )
    if bare != text.strip(" "):
        return "has a no-break space or another odd blank around it, as a copy from a page leaves it: write it anew, by hand"
    return None

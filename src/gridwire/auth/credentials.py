"""A look at names and secrets before a login is spent with them, the same for every venue.

An ``.env`` file edited on Windows, ``docker --env-file`` and files of secrets leave a line end or quotes around a value.
Sent like that it is a wrong password, and venues block an account after a few of those.
"""

from __future__ import annotations

import unicodedata

from pydantic import SecretStr

from gridwire.errors import ConfigurationError

_PAIRS = ('""', "''", "``", "“”", "„“", "‘’", "«»")
_UNSEEN = ("Cc", "Cf", "Zl", "Zp")
"""Unicode's categories of control characters, of invisible ones such as a byte-order mark, and of line ends."""


def check_credential(name: str, value: str | SecretStr) -> None:
    """Raise `ConfigurationError` for a ``value`` that nobody can have meant. Its text names the setting, never the value."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    found = flaw(text)
    if (
        found is None and not isinstance(value, SecretStr) and text != text.strip()
    ):  # a password may have blanks around it
        found = "has blanks around it: take them away"
    if found is not None:
        raise ConfigurationError(f"{name} {found}. No login was tried, and nothing was sent.")


def flaw(text: str) -> str | None:
    """What is around or in ``text`` that belongs to the file it came from, and what to do; None if nothing is."""
    if text.endswith(("\r", "\n")):
        return (
            "ends with a line end (CR or LF), as an .env file edited on Windows or a secret written with `echo` leaves it: "
            "take it away, with `tr -d '\\r\\n'` say"
        )
    if any(unicodedata.category(letter) in _UNSEEN for letter in text):
        return "holds a control character or an invisible one (a line end, a byte-order mark): write it anew, by hand"
    if len(text) > 1 and text[0] + text[-1] in _PAIRS:
        return (
            "stands in quotes, which would be sent with it: docker --env-file and other readers of files do not take them off. "
            "Take them away; if they are part of it, have it changed at the venue"
        )
    return None

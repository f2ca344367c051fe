"""A look at names and secrets before a login is spent with them, the same for every venue.

An ``.env`` file edited on Windows, ``docker --env-file`` and files of secrets leave a line end or quotes around a value.
Sent like that it is a wrong password, and venues block an account after a few of those.
"""

from __future__ import annotations

from pydantic import SecretStr

from gridwire.errors import ConfigurationError
from gridwire.flaws import flaw


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

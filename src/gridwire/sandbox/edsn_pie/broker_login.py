"""What clients send to log in to the broker, read per mechanism."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gridwire.transport.sasl import Login


@dataclass(frozen=True, slots=True)
class Contact:
    """One login, for tests to look at."""

    mechanism: str
    user: str | None
    outcome: int
    """The SASL outcome; 0 let the client in."""
    reason: str | None
    """Why not, in the broker's own records. Clients are not told."""
    claims: Mapping[str, Any] | None = field(default=None, repr=False)
    size: int = 0
    """Bytes of the initial response."""


def credentials(login: Login) -> tuple[str | None, str | None]:
    """The user and the token (or password) of a login; None for what it does not carry."""
    text = login.response.decode("utf-8", "replace")
    match login.mechanism:
        case "PLAIN":
            _, _, rest = text.partition("\0")
            name, _, secret = rest.partition("\0")
            return name or None, secret or None
        case "XOAUTH2" | "OAUTHBEARER":
            parts = text.split("\x01")
            token = next((part[len("auth=Bearer ") :] for part in parts if part.startswith("auth=Bearer ")), None)
            user = next((part[5:] for part in parts if part.startswith("user=")), None)
            if login.mechanism == "OAUTHBEARER":
                user = parts[0].removeprefix("n,a=").rstrip(",").replace("=2C", ",").replace("=3D", "=")
            return user or None, token
        case _:
            return None, None

"""What the settings of a broker must be, so that none of them fails only once a token was fetched for it.

Pure functions. Each raises `ConfigurationError` in one sentence that names the setting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Any

from gridwire.auth.credentials import check_credential
from gridwire.errors import ConfigurationError
from gridwire.observe.redact import shown_url

_HOST = re.compile(rb"[A-Za-z0-9._-]{1,253}")
_DEEPEST = 8
_LONG = 2**63
"""AMQP's widest whole number with a sign has 64 bits."""


def check_host(host: str, setting: str = "host") -> str:
    """The name or address alone, as it is resolved and as a certificate spells it.

    An IPv6 address may stand in brackets, as in URLs, and a name may end in a full stop; both are taken off here for good.
    """
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if bare != host or ":" in bare:
        try:
            IPv6Address(bare)
        except ValueError:
            bare = ""
    elif not set("/@[]") & set(bare):
        return _name(bare, setting)
    if not bare or set("/@[]") & set(bare):
        shown = shown_url(host)[:300]
        raise ConfigurationError(f"amqp_{setting} is a name alone, without scheme, user or port; not {shown}.")
    return bare


def _name(host: str, setting: str) -> str:
    bare = host.removesuffix(".")
    try:
        known = not bare.endswith(".") and bool(_HOST.fullmatch(bare.encode("idna")))
    except UnicodeError:
        known = False
    if not known:
        raise ConfigurationError(
            f"amqp_{setting}={shown_url(host)[:300]} is not the name of a host: letters, digits and hyphens, with 1 to 63 of them between "
            "full stops, 253 in all."
        )
    return bare


def check_required(name: str, value: object, what: str) -> None:
    """A text that must be there; ``what`` says what it is."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(
            f"amqp_{name} is empty: it is {what}, which EDSN tells you, and there is no default. Nothing was sent."
        )
    _check_text(name, value)


def check_optional(name: str, value: object, instead: str) -> None:
    """A text that may be left out, for ``instead``."""
    if value is None:
        return
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"amqp_{name}={value!r} must not be empty; leave it out for {instead}.")
    _check_text(name, value)


def _check_text(name: str, value: str) -> None:
    if value != value.strip() or not value.isprintable():
        raise ConfigurationError(f"amqp_{name}={value!r} holds blanks around it or control characters.")
    check_credential(f"amqp_{name}", value)


def check_whole(name: str, value: object, least: int, most: int, unit: str = "") -> None:
    """A whole number between two others."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"amqp_{name} must be a whole number, not {value!r} ({type(value).__name__}).")
    if not least <= value <= most:
        raise ConfigurationError(f"amqp_{name} must be between {least} and {most}{unit}, not {value}.")


def check_seconds(name: str, value: object) -> None:
    """A time in seconds, or 0 for none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigurationError(f"amqp_{name} must be a number of seconds, not {value!r} ({type(value).__name__}).")
    if not 0 <= value < 1e6:
        raise ConfigurationError(f"amqp_{name} must be 0 (off) or more, not {value!r}.")


def check_words(name: str, value: object) -> None:
    """Symbols, which AMQP has in ASCII."""
    words = value if isinstance(value, (tuple, list)) else [None]
    if not all(isinstance(word, str) and word.strip() and word.isascii() and word.isprintable() for word in words):
        raise ConfigurationError(f"amqp_{name} must be a list of words in ASCII, not {value!r}.")


def check_properties(value: object) -> None:
    """What can be told in a connection's open frame: symbols with values that AMQP has."""
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"amqp_connection_properties must be a table of names and values, not {value!r}.")
    check_words("connection_properties", list(value))
    for name, one in value.items():
        if not _encodable(one):
            raise ConfigurationError(
                f"amqp_connection_properties: the value of {name} is a {type(one).__name__} that cannot be sent; texts "
                "without control characters, numbers up to 64 bits, true and false can, and lists and tables of them."
            )


def _encodable(value: Any, depth: int = 0) -> bool:
    if depth > _DEEPEST:
        return False
    if isinstance(value, str):
        return value.isprintable()
    if isinstance(value, dict):
        return all(isinstance(name, str) and name.isprintable() for name in value) and all(
            _encodable(one, depth + 1) for one in value.values()
        )
    if isinstance(value, (list, tuple)):
        return all(_encodable(one, depth + 1) for one in value)
    if type(value) is int:
        return -_LONG <= value < _LONG
    return value is None or type(value) in (bool, float, bytes)

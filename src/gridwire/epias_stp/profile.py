"""Where EPİAŞ STP is, and how sure we are of each fact.

Host, CAS host, service name and module path are four independent settings: none is derived from another, because the
venue's own document contradicts itself about them (see "Open questions" in docs/protocols/epias_stp.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field, SecretStr

from gridwire.errors import ConfigurationError
from gridwire.observe.redact import shown_url
from gridwire.settings import Fact, IsPath, check_environment, flag_or_path, password_from_keyring, refuse_login
from gridwire.transport.tls import is_loopback

Environment: TypeAlias = Literal["sandbox", "test", "production"]


@dataclass(frozen=True, slots=True)
class Profile:
    """One environment of the venue. Replace single fields with `dataclasses.replace`."""

    environment: Environment
    cas_url: str
    """Base of the ticket service, with ``/cas/v1``."""
    stp_url: str
    """Scheme and host of STP, without a path."""
    service: str
    """The string a service ticket is asked for."""
    engine_path: str = "/stp-orchestrator-trading-engine/rest"
    broadcaster_path: str = "/stp-broadcaster-orchestrator/rest"
    st_ttl_s: float = 30.0
    """How long a service ticket is believed to live; the client stops using it 5 s earlier."""
    tgt_idle_s: float = 2700.0
    """Idle life of a ticket granting ticket; it restarts with every service ticket."""
    quantity_unit: str = "1000 Sm3"
    price_places: int | None = 2
    """Decimals a price may have; None switches the check off."""
    write_gas_day_date: bool = True
    """Whether contract/save also carries the older single ``gasDayDate`` when exactly one day is given."""
    write_gas_day_dates: bool = True
    """Whether contract/save carries the newer ``gasDayDates`` list."""
    facts: Mapping[str, Fact] = field(default_factory=dict, repr=False)
    """Fields below high confidence, by name."""


_ASK = "EPİAŞ support (the STP desk), with your DGPYS user name"

_UNCERTAIN = {
    "cas_url": Fact(
        confidence="medium",
        why="public clients of EPİAŞ's transparency platform moved their login from this host to another, giris.epias.com.tr, "
        "in 2025, and nobody has seen whether STP's login moved too",
        ask=_ASK,
    ),
    "engine_path": Fact(
        confidence="medium",
        why="the document prints /stp-orchestrator-trading-engine/rest, but is itself served under the other word order, "
        "/stp-trading-engine-orchestrator, as are all sibling modules",
        ask=_ASK,
    ),
    "service": Fact(
        confidence="medium",
        why="the document's table swaps the service names of test and production, and its prose names a third one",
        ask=_ASK,
    ),
    "quantity_unit": Fact(
        confidence="medium",
        why="the document nowhere says that quantities count 1000 Sm3; it follows from published volumes and turnover",
        ask=_ASK,
    ),
}

PRODUCTION = Profile(
    environment="production",
    cas_url="https://cas.epias.com.tr/cas/v1",
    stp_url="https://stp.epias.com.tr",
    service="https://stp.epias.com.tr",
    facts=_UNCERTAIN,
)

TEST = Profile(
    environment="test",
    cas_url="https://testcas.epias.com.tr/cas/v1",
    stp_url="https://teststp.epias.com.tr",
    service="https://teststp.epias.com.tr",
    facts=_UNCERTAIN,
)

PRESETS: Mapping[str, Profile] = {"test": TEST, "production": PRODUCTION}


@dataclass(frozen=True, slots=True)
class Account:
    """One user at one environment. ``ca_pem`` is an extra certificate authority (the sandbox's own, with TLS)."""

    profile: Profile
    username: str
    password: SecretStr = field(repr=False)
    ca_pem: str | None = field(default=None, repr=False)


class StpSettings(BaseModel):
    """What can be set from outside.

    In the environment with the prefix ``GRIDWIRE_EPIAS_STP_``, in ``gridwire.toml``
    in the table ``[epias_stp]``, or as arguments of ``EpiasStp.from_env``.
    """

    environment: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    cas_url: str | None = None
    stp_url: str | None = None
    service: str | None = None
    engine_path: str | None = None
    broadcaster_path: str | None = None
    st_ttl_s: float | None = None
    application: str = "gridwire"
    language: Literal["tr-tr", "en-us"] = "tr-tr"
    message_format: Literal["json", "xml"] = "json"
    proxy: str | None = Field(default=None, repr=False)  # its address may hold a login
    ca_bundle: Annotated[str | None, IsPath()] = None
    client_cert: Annotated[str | None, IsPath()] = None
    client_cert_passphrase: SecretStr | None = None
    timeout: float = 10.0
    read_only: bool = False
    exclusive: bool = False
    confirmed: list[str] = []
    ticket_file: Annotated[bool | str, BeforeValidator(flag_or_path), IsPath()] = False
    journal: Annotated[str | None, IsPath()] = None
    journal_durability: Literal["process", "power"] = "process"


PREFIX = "GRIDWIRE_EPIAS_STP_"
TABLE = "epias_stp"


def account_of(settings: StpSettings) -> Account:
    """The account that ``settings`` describe. Raises `ConfigurationError` that names what is missing or contradictory."""
    environment = check_environment(settings.environment, setting=PREFIX + "ENVIRONMENT")
    named = {f.name: getattr(settings, f.name) for f in fields(Profile) if getattr(settings, f.name, None) is not None}
    named.pop("environment", None)
    if environment == "sandbox":
        missing = [name for name in ("cas_url", "stp_url", "service") if name not in named]
        if missing:
            raise ConfigurationError(
                f"The sandbox has no fixed address: set {', '.join(PREFIX + name.upper() for name in missing)}. "
                "`gridwire sandbox epias` prints the lines to export."
            )
        profile = Profile(environment="sandbox", **named)
    else:
        profile = replace(PRESETS[environment], **named)
    check_profile(profile)
    if not settings.username:
        raise ConfigurationError(f"No user is named: set {PREFIX}USERNAME to the DGPYS user name.")
    password = settings.password
    if password is None:
        stored = password_from_keyring(TABLE, settings.username, setting=PREFIX + "PASSWORD")
        if stored is None:
            raise ConfigurationError(
                f"No password is set for {settings.username}: set {PREFIX}PASSWORD, or store it in the system keyring "
                f"under the service gridwire.{TABLE}."
            )
        password = SecretStr(stored)
    return Account(profile, settings.username, password)


def _host(name: str, url: str) -> str | None:
    """The host that ``url`` names. Raises `ConfigurationError` unless an address is one that can be called."""
    refuse_login(name, url)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ConfigurationError(f"{name}={shown_url(url)} is not an address.") from None
    host = (parts.hostname or "").rstrip(".") or None  # a full stop at the end names the same host
    if name == "service":
        return host
    if host is None or parts.scheme not in ("https", "http") or not _PLAIN.fullmatch(url):
        raise ConfigurationError(f"{name} must be a full address with https://, not {shown_url(url)}.")
    allowed = parts.path == "" if name == "stp_url" else _is_path(parts.path.removesuffix("/") or "/cas")
    if not allowed or "?" in url or "#" in url:
        what = "scheme and host alone, without a slash at the end" if name == "stp_url" else "host and path alone"
        raise ConfigurationError(
            f"{name} must be {what}, like {getattr(TEST, name)}, not {shown_url(url)}. Nothing was sent."
        )
    return host


_PLAIN = re.compile(r"[!-~]+", re.ASCII)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+", re.ASCII)


def _is_path(path: str) -> bool:
    return _PATH.fullmatch(path) is not None and not {".", ".."} & set(path.split("/"))


def _check_path(name: str, path: str) -> None:
    """A path is put behind the host as it is: one that does not begin with a slash would change the host."""
    if not _is_path(path):
        raise ConfigurationError(
            f"{name} must be a path that begins with a slash and does not end with one, of letters, digits and . _ ~ -, "
            f"like {getattr(TEST, name)}, not {path!r}. Nothing was sent."
        )


def check_profile(profile: Profile) -> None:
    """Refuse addresses that lead elsewhere, and a mix of environments: a test ticket service with the production venue, a sandbox off this machine."""
    _check_path("engine_path", profile.engine_path)
    _check_path("broadcaster_path", profile.broadcaster_path)
    places = {"cas_url": profile.cas_url, "stp_url": profile.stp_url, "service": profile.service}
    for name, url in places.items():
        host = _host(name, url)
        if name != "service" and profile.environment != "sandbox" and is_loopback(host):
            raise ConfigurationError(
                f"environment is {profile.environment}, but {name} names this machine. Are settings of a sandbox left in "
                "the environment or in gridwire.toml? Nothing was sent."
            )
        if name != "service" and profile.environment != "sandbox" and urlsplit(url).scheme != "https":
            raise ConfigurationError(f"{name} must be a full address with https://, not {shown_url(url)}.")
        if profile.environment == "sandbox":
            if name != "service" and not is_loopback(host):
                raise ConfigurationError(
                    f"environment is sandbox, but {name} names {host}: a sandbox is on this machine."
                )
            continue
        for other, preset in PRESETS.items():
            theirs = {urlsplit(u).hostname for u in (preset.cas_url, preset.stp_url, preset.service)}
            if other != profile.environment and host in theirs:
                raise ConfigurationError(
                    f"{name} names {host}, which belongs to {other}, while environment is {profile.environment}. A mix "
                    f"would carry the tickets or orders of one into the other; nothing was sent. Set all of cas_url, "
                    f"stp_url and service for {profile.environment}."
                )

"""What can be set from outside, and the account that comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from string import Formatter
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field, SecretStr

from gridwire.auth.client_assertion import AssertionOptions, KeySource
from gridwire.auth.credentials import check_credential
from gridwire.edsn_pie.profile import PRESETS, Account, AmqpSettings, IdPointers, Profile
from gridwire.errors import ConfigurationError
from gridwire.intents.inbox import default_inbox
from gridwire.observe.redact import shown_url
from gridwire.settings import IsPath, check_environment, flag_or_path, password_from_keyring, refuse_login
from gridwire.transport.tls import is_loopback

PREFIX = "GRIDWIRE_EDSN_PIE_"
TABLE = "edsn_pie"


class PieSettings(BaseModel):
    """What can be set from outside.

    In the environment with the prefix ``GRIDWIRE_EDSN_PIE_``, in ``gridwire.toml`` in the table ``[edsn_pie]``, or as
    arguments of ``EdsnPie.from_env``.
    """

    environment: str | None = None
    client_id: str | None = None
    private_key: SecretStr | None = None
    private_key_file: Annotated[Path | None, IsPath()] = None
    passphrase: SecretStr | None = None
    idp_url: str | None = None
    rest_url: str | None = None
    token_path: str | None = None
    issuer_path: str | None = None
    audience: str | None = None
    scope: str | None = None
    algorithm: str | None = None
    key_id: str | None = None
    assertion_typ: str | None = None
    assertion_life_s: int | None = None
    assertion_not_before: bool | None = None
    ticket_path: str | None = None
    comments_path: str | None = None
    comment_path: str | None = None
    page_size: int | None = None
    sender_id: str | None = None
    role: str | None = None
    ticket_pointers: list[str] | None = None
    comment_pointers: list[str] | None = None
    comment_ticket_pointers: list[str] | None = None
    ticket_types: list[str] | None = None
    comment_types: list[str] | None = None
    ticket_id_names: list[str] | None = None
    comment_id_names: list[str] | None = None
    amqp_host: str | None = None
    amqp_port: int | None = None
    amqp_tls: bool | None = None
    amqp_address: str | None = None
    amqp_virtual_host: str | None = None
    amqp_tunnel_to: str | None = None
    amqp_container_id: str | None = None
    amqp_auth: str | None = None
    amqp_username: str | None = None
    amqp_cbs_type: str | None = None
    amqp_cbs_name: str | None = None
    amqp_patience_s: float | None = None
    amqp_idle_timeout_s: float | None = None
    amqp_credit: int | None = None
    amqp_link_name: str | None = None
    amqp_source_capabilities: list[str] | None = None
    amqp_desired_capabilities: list[str] | None = None
    amqp_connection_properties: dict[str, Any] | None = None
    proxy: str | None = Field(default=None, repr=False)  # its address may hold a login
    ca_bundle: Annotated[str | None, IsPath()] = None
    client_cert: Annotated[str | None, IsPath()] = None
    client_cert_passphrase: SecretStr | None = None
    timeout: float = 10.0
    read_only: bool = False
    inbox: Annotated[bool | str, BeforeValidator(flag_or_path), IsPath()] = False
    confirmed: list[str] = []


_ASSERTION = {
    "algorithm": "algorithm",
    "key_id": "key_id",
    "assertion_typ": "typ",
    "assertion_life_s": "life_s",
    "assertion_not_before": "not_before",
}
_POINTERS = {
    "ticket_pointers": "ticket",
    "comment_pointers": "comment",
    "comment_ticket_pointers": "ticket_of_comment",
    "ticket_types": "ticket_types",
    "comment_types": "comment_types",
}
_AMQP = {f"amqp_{f.name}": f.name for f in fields(AmqpSettings)}


_EDSN_SAYS = {"acceptance": "test", "acc": "test", "acceptatie": "test", "productie": "production"}
"""What EDSN calls its environments, in the portal and in its guides."""


def environment_of(settings: PieSettings) -> str:
    """The environment that is set. Raises `ConfigurationError`."""
    return check_environment(
        settings.environment,
        setting=PREFIX + "ENVIRONMENT",
        production="the tickets and the queue of your organisation",
        also=_EDSN_SAYS,
    )


def account_of(settings: PieSettings) -> Account:
    """The account that ``settings`` describe. Raises `ConfigurationError` that names what is missing or contradictory."""
    profile = _profile(settings)
    check_profile(profile)
    if not settings.client_id:
        raise ConfigurationError(
            f"No service account is named: set {PREFIX}CLIENT_ID to its id, as the portal shows it."
        )
    return Account(profile, settings.client_id, _key(settings), settings.passphrase)


def inbox_owner(environment: str, client_id: str, queue: str) -> str:
    """Whose an inbox is, in words that its errors and its file's name show."""
    return f"edsn_pie {environment} {client_id} {queue}"


def usual_inbox(settings: PieSettings) -> Path:
    """The inbox that ``settings`` mean: the named file, or the usual place of their account and queue.

    No key is needed for it. Raises `ConfigurationError` that names what is missing.
    """
    if isinstance(settings.inbox, str) and settings.inbox:
        return Path(settings.inbox)
    environment = environment_of(settings)
    for name in ("client_id", "amqp_address"):
        if not getattr(settings, name):
            raise ConfigurationError(
                f"Each account and queue has an inbox of its own, and {name} is not set: set {PREFIX}{name.upper()}, or "
                "name the file of the inbox. Nothing was changed."
            )
    return default_inbox(inbox_owner(environment, str(settings.client_id), str(settings.amqp_address)))


def _profile(settings: PieSettings) -> Profile:
    environment = environment_of(settings)
    named = _given(settings, {f.name: f.name for f in fields(Profile) if f.name != "environment"})
    if environment == "sandbox":
        missing = [name for name in ("idp_url", "rest_url") if name not in named]
        if missing:
            raise ConfigurationError(
                f"The sandbox has no fixed address: set {', '.join(PREFIX + name.upper() for name in missing)}. "
                "`gridwire sandbox pie` prints the lines to export."
            )
        profile = Profile(environment="sandbox", **named)
    else:
        profile = replace(PRESETS[environment], **named)
    if profile.scope == "":
        profile = replace(profile, scope=None)
    return replace(
        profile,
        assertion=replace(AssertionOptions(), **_given(settings, _ASSERTION)),
        pointers=replace(IdPointers(), **_given(settings, _POINTERS)),
        amqp=_amqp(settings),
    )


def _given(settings: PieSettings, names: Mapping[str, str]) -> dict[str, Any]:
    """The settings that were given, under the names they have in the class they belong to."""
    values = {name: getattr(settings, setting, None) for setting, name in names.items()}
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if value is not None
    }


def _amqp(settings: PieSettings) -> AmqpSettings | None:
    given = _given(settings, _AMQP)
    if not given:
        return None
    return AmqpSettings(**{"host": "", "address": "", **given})


def _key(settings: PieSettings) -> KeySource:
    if settings.private_key is not None and settings.private_key_file is not None:
        raise ConfigurationError(
            "private_key and private_key_file are both set; one private key is needed. Leave one out."
        )
    if settings.private_key_file is not None:
        return settings.private_key_file
    if settings.private_key is not None:
        return settings.private_key
    stored = password_from_keyring(TABLE, settings.client_id or "", setting=PREFIX + "PRIVATE_KEY_FILE")
    if stored is None:
        raise ConfigurationError(
            f"No private key is set for {settings.client_id}: set {PREFIX}PRIVATE_KEY_FILE to its PEM file (or "
            f"{PREFIX}PRIVATE_KEY to its text), or store the text in the system keyring under the service gridwire.{TABLE}."
        )
    return SecretStr(stored)


# ---------------------------------------------------------------------------------------------------------------------
# What cannot be right


def check_account(account: Account) -> None:
    """Raise `ConfigurationError` if this account cannot work, before anything is opened."""
    check_profile(account.profile)
    name = account.client_id
    if isinstance(name, str):
        check_credential("client_id", name)
    if not isinstance(name, str) or not name or not name.isascii():
        raise ConfigurationError(
            f"client_id={name!r} is not the id of a service account: a text of ASCII letters, digits and signs. Nothing was sent."
        )


def check_profile(profile: Profile) -> None:
    """Refuse a mix of environments, an address without encryption off this machine, and paths that cannot be filled."""
    for name, url in (("idp_url", profile.idp_url), ("rest_url", profile.rest_url)):
        _check_place(profile, name, _host(name, url), encrypted=url.startswith("https://"))
    amqp = profile.amqp
    if amqp is not None:
        name = "amqp_host" if amqp.tunnel_to is None else "amqp_tunnel_to"
        _check_place(profile, name, amqp.far_host, encrypted=amqp.tls)
    _check_template("ticket_path", profile.ticket_path, needs=("ticket_id",))
    _check_template("comments_path", profile.comments_path, needs=("ticket_id",))
    _check_template("comment_path", profile.comment_path, needs=("comment_id",), may=("ticket_id",))
    for name, path in (("token_path", profile.token_path), ("issuer_path", profile.issuer_path or "/")):
        if not path.startswith("/") or not path.isprintable() or set("?#\\ ") & set(path):
            raise ConfigurationError(f"{name} must be a path that begins with a slash, not {path!r}.")
    if not profile.assertion_audience:
        raise ConfigurationError("audience is empty: it is token_endpoint, issuer, or the text that EDSN tells you.")
    for name, text in (
        ("audience", profile.audience),
        ("key_id", profile.assertion.key_id),
        ("assertion_typ", profile.assertion.typ),
    ):
        check_credential(name, text or "")
    scope = profile.scope
    if scope is not None and not (scope.strip() and scope.isascii() and scope.isprintable()):
        raise ConfigurationError(f"scope={scope!r} is not a list of words with blanks between them. Nothing was sent.")
    if profile.page_size is not None and profile.page_size < 1:
        raise ConfigurationError(f"page_size must be at least 1, not {profile.page_size}.")
    for name, value in (("sender_id", profile.sender_id), ("role", profile.role)):
        if value is not None and not (value.strip() and value.isascii() and value.isprintable()):
            raise ConfigurationError(f"{name}={value!r} cannot be sent in a header.")


def _host(name: str, url: str) -> str | None:
    refuse_login(name, url)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ConfigurationError(f"{name}={shown_url(url)} is not an address.") from None
    host = (parts.hostname or "").rstrip(".") or None  # a full stop at the end names the same host
    whole = parts.path or parts.query or parts.fragment
    if host is None or parts.scheme not in ("https", "http") or whole or not url.isprintable():
        raise ConfigurationError(
            f"{name} must be scheme and host alone, like https://api.example.nl, not {shown_url(url)}."
        )
    return host


def _check_place(profile: Profile, name: str, host: str | None, *, encrypted: bool) -> None:
    if profile.environment == "sandbox":
        if not is_loopback(host):
            raise ConfigurationError(f"environment is sandbox, but {name} names {host}: a sandbox is on this machine.")
        return
    if is_loopback(host):
        tunnel = " If it is the near end of a tunnel, name the broker in amqp_tunnel_to." if name == "amqp_host" else ""
        raise ConfigurationError(
            f"environment is {profile.environment}, but {name} names this machine. Are settings of a sandbox left in the "
            f"environment or in gridwire.toml?{tunnel} Nothing was sent."
        )
    if not encrypted:
        raise ConfigurationError(f"{name} must be reached over TLS; nothing else carries a token. Nothing was sent.")
    for other, preset in PRESETS.items():
        theirs = {urlsplit(url).hostname for url in (preset.idp_url, preset.rest_url)}
        if other != profile.environment and host in theirs:
            raise ConfigurationError(
                f"{name} names {host}, which belongs to {other}, while environment is {profile.environment}. A mix would "
                "show the tokens of one to the other; nothing was sent. Set both idp_url and rest_url for "
                f"{profile.environment}."
            )


def _check_template(name: str, template: str, *, needs: Iterable[str], may: Iterable[str] = ()) -> None:
    try:
        named = [word for _, word, _, _ in Formatter().parse(template) if word is not None]
    except ValueError:
        named = [""]
    if not set(needs) <= set(named) <= {*needs, *may} or not template.startswith("/") or set("?#\\ ") & set(template):
        wanted = " and ".join(f"{{{word}}}" for word in needs)
        raise ConfigurationError(f"{name}={template!r} must be a path that begins with a slash and holds {wanted}.")

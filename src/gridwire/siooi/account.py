"""Who logs in where, and the settings that say so from outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr

from gridwire.errors import ConfigurationError
from gridwire.settings import IsPath, existing, password_from_keyring
from gridwire.siooi.checks import load_profile
from gridwire.siooi.profile import Profile

PREFIX = "GRIDWIRE_SIOOI_"
TABLE = "siooi"


@dataclass(frozen=True, slots=True)
class Account:
    """One account at one installation. ``ca_pem`` is an extra certificate authority (the sandbox's own, with TLS)."""

    profile: Profile
    login: str
    password: SecretStr = field(repr=False)
    ca_pem: str | None = field(default=None, repr=False)


class SiooiSettings(BaseModel):
    """What can be set from outside.

    In the environment with the prefix ``GRIDWIRE_SIOOI_``, in ``gridwire.toml`` in the table ``[siooi]``, or as arguments of
    ``Siooi.from_env``. The profile takes the place of an environment: there is no default.
    """

    profile: Annotated[str | None, IsPath()] = None
    login: str | None = None
    password: SecretStr | None = None
    journal: Annotated[str | None, IsPath()] = None
    schemas: Annotated[str | None, IsPath()] = None
    proxy: str | None = Field(default=None, repr=False)  # its address may hold a login
    ca_bundle: Annotated[str | None, IsPath()] = None
    client_cert: Annotated[str | None, IsPath()] = None
    client_cert_passphrase: SecretStr | None = None
    timeout: float = 30.0
    read_only: bool = False


def account_of(settings: SiooiSettings) -> Account:
    """The account that ``settings`` describe. Raises `ConfigurationError` that names what is missing."""
    if not settings.profile:
        raise ConfigurationError(
            f"No profile is named, and there is no default: set {PREFIX}PROFILE to the file that says how your installation is "
            "spoken to. `gridwire siooi profile new` writes one to fill in; `gridwire sandbox siooi` starts one to try."
        )
    profile = load_profile(settings.profile)
    if not settings.login:
        raise ConfigurationError(f"No account is named: set {PREFIX}LOGIN to the login registered at the venue.")
    password = settings.password
    if password is None:
        stored = password_from_keyring(TABLE, settings.login, setting=PREFIX + "PASSWORD")
        if stored is None:
            raise ConfigurationError(
                f"No password is set for {settings.login}: set {PREFIX}PASSWORD, or store it in the system keyring under the "
                f"service gridwire.{TABLE}."
            )
        password = SecretStr(stored)
    return Account(profile, settings.login, password)


def existing_folder(path: str | Path, name: str) -> Path:
    """``path`` as a folder that is there. Raises `ConfigurationError`."""
    return existing(path, name, "folder")

"""The simulator a test or notebook holds in its hand: accounts, knobs, faults, log, and the folder with its forms."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import SecretStr

from gridwire.errors import InvalidInput
from gridwire.sandbox.faults import Faults
from gridwire.sandbox.serving import HOST, Authority, Listener
from gridwire.sandbox.siooi import forms, profiles
from gridwire.sandbox.siooi.log import CallLog
from gridwire.sandbox.siooi.registry import Registry, SiooiKnobs, User
from gridwire.sandbox.siooi.server import MOST_BYTES, SiooiServer
from gridwire.settings import temporary_folder
from gridwire.siooi.account import Account
from gridwire.siooi.checks import load_profile
from gridwire.siooi.profile import Profile
from gridwire.transport import xml

DEFAULT_USER = "clerk@energo.example"
Wire: TypeAlias = Literal["json", "soap"]
_FORMS = frozenset(forms.SCHEMAS)
_OBJECTS = frozenset(forms.OBJECTS)


class SiooiVenue:
    """АС СиОИ in memory, over three wires (``json``, ``soap``, and one without a profile).

    Accounts: ``clerk@energo.example`` has the role and every form and object, ``narrow@energo.example`` only form F101 and
    object TPP-1, ``reader@energo.example`` lacks the role.
    """

    def __init__(self, *, seed: int, authority: Authority | None = None) -> None:
        users = [
            User(DEFAULT_USER, forms=_FORMS, objects=_OBJECTS),
            User("narrow@energo.example", forms=frozenset({"F101"}), objects=frozenset({"TPP-1"})),
            User("reader@energo.example", responsible=False, forms=_FORMS, objects=_OBJECTS),
        ]
        self.knobs: SiooiKnobs = SiooiKnobs()
        """How the venue behaves where the real one's document is silent."""
        self.log: CallLog = CallLog()
        """Every request, over whichever wire."""
        self.registry: Registry = Registry(seed, users, _FORMS, self.knobs)
        """The state itself, for arranging and inspecting without a wire."""
        self._server = SiooiServer(self.registry, self.log)
        self._authority = authority
        self._listener: Listener | None = None
        self._folder: Path | None = None

    @property
    def faults(self) -> Faults:
        """Faults of all wires (operations ``login``, ``send``, ``status``, ``logout``)."""
        return self._server.faults

    @property
    def folder(self) -> Path:
        """A folder with ``schemas``, sample ``documents`` and the profiles, for as long as the venue is open."""
        if self._folder is None:
            raise InvalidInput("This sandbox is not running; use it inside its async with block.")
        return self._folder

    @property
    def schemas(self) -> Path:
        """The forms' schemas, as a client takes them."""
        return self.folder / "schemas"

    @property
    def origin(self) -> str:
        """Scheme, host and port. Raises `InvalidInput` while it does not listen."""
        if self._listener is None:
            raise InvalidInput("This sandbox is not running; use it inside its async with block.")
        return f"{'https' if self._authority else 'http'}://{HOST}:{self._listener.port}"

    def profile(self, wire: Wire = "json") -> Profile:
        """How one of the wires is spoken to."""
        return load_profile(self._described(wire))

    def account(self, name: str = DEFAULT_USER, *, wire: Wire = "json", profile: Profile | None = None) -> Account:
        """What a client takes to be this user, over one of the wires or by a profile of one's own."""
        if name not in self.registry.users:
            raise InvalidInput(f"There is no user {name!r} here; there are {', '.join(self.registry.users)}.")
        pem = self._authority.pem if self._authority else None
        return Account(profile or self.profile(wire), name, SecretStr(self.registry.passwords[name]), pem)

    @staticmethod
    def document(
        form: str = "F101",
        object_key: str = "TPP-1",
        period: str = "2026-Q3",
        values: tuple[str, ...] = ("12.5", "40"),
        encoding: str = "UTF-8",
    ) -> bytes:
        """A document of one of the forms (F101, F102); with values that are no numbers it breaks its schema."""
        return forms.document(form, object_key, period, values, encoding)

    async def open(self, port: int = 0) -> None:
        """Listen on ``port``; 0 takes any free one."""
        tls = self._authority.context if self._authority else None
        self._listener = await Listener.open(self._server.handle, port=port, tls=tls, most_bytes=MOST_BYTES)
        try:
            self._folder = await asyncio.to_thread(self._write_folder)
        except BaseException:
            await self.close()
            raise
        self._server.schemas = xml.Schemas(self.schemas)

    async def close(self) -> None:
        """End every connection, stop listening, remove the folder; state and log stay readable."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()
        folder, self._folder = self._folder, None
        if folder is not None:
            await asyncio.to_thread(shutil.rmtree, folder, True)

    def describe(self) -> dict[str, Any]:
        """Addresses, and the environment variables that point a client here. Holds a throw-away password."""
        account = self.account()
        return {
            "urls": {"json": f"{self.origin}/json", "soap": f"{self.origin}/soap", "text": f"{self.origin}/text"},
            "env": {
                "GRIDWIRE_SIOOI_PROFILE": str(self.folder / "simulator.json"),
                "GRIDWIRE_SIOOI_SCHEMAS": str(self.schemas),
                "GRIDWIRE_SIOOI_LOGIN": account.login,
                "GRIDWIRE_SIOOI_PASSWORD": account.password.get_secret_value(),
            },
        }

    def _described(self, wire: Wire) -> dict[str, Any]:
        return profiles.simulator(self.origin) if wire == "json" else profiles.simulator_soap(self.origin)

    def _write_folder(self) -> Path:
        folder = Path(temporary_folder("gridwire-sandbox-siooi-"))
        forms.write_schemas(folder / "schemas")
        forms.write_documents(folder / "documents")
        for data in (self._described("json"), self._described("soap")):
            text = json.dumps(data, ensure_ascii=False, indent=2)
            (folder / f"{data['name']}.json").write_text(text, encoding="utf-8")
        return folder

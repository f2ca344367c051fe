"""Faults of the surroundings end in an error of ours that names what to set: keyring, folders, home, files, environment."""

from __future__ import annotations

import getpass
import os
import pwd
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import InitError, KeyringLocked

from gridwire import settings
from gridwire.edsn_pie import EdsnPie
from gridwire.epias_stp import EpiasStp
from gridwire.errors import ConfigurationError, GridwireError
from gridwire.intents.inbox import default_inbox
from gridwire.intents.uploads import default_path
from gridwire.sandbox import Sandbox
from gridwire.siooi import Siooi, load_profile
from tests.cli.conftest import cli as cli  # a fixture

PROFILE = Path(__file__).parent / "fixtures" / "siooi" / "third_wire.toml"
CLIENTS: dict[str, tuple[Callable[[], Any], dict[str, str], str]] = {
    "epias_stp": (
        EpiasStp.from_env,
        {"GRIDWIRE_EPIAS_STP_ENVIRONMENT": "test", "GRIDWIRE_EPIAS_STP_USERNAME": "A"},
        "GRIDWIRE_EPIAS_STP_PASSWORD",
    ),
    "edsn_pie": (
        EdsnPie.from_env,
        {"GRIDWIRE_EDSN_PIE_ENVIRONMENT": "test", "GRIDWIRE_EDSN_PIE_CLIENT_ID": "A"},
        "GRIDWIRE_EDSN_PIE_PRIVATE_KEY_FILE",
    ),
    "siooi": (
        Siooi.from_env,
        {"GRIDWIRE_SIOOI_PROFILE": str(PROFILE), "GRIDWIRE_SIOOI_LOGIN": "A"},
        "GRIDWIRE_SIOOI_PASSWORD",
    ),
}


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Callable[[], Any], str]:
    """Opens a client of one venue that has no password, with the variable that it misses."""
    make, given, missing = CLIENTS[request.param]
    for name in [name for name in os.environ if name.startswith("GRIDWIRE_")]:
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return make, missing


@contextmanager
def backend(chosen: KeyringBackend) -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(chosen)
    try:
        yield
    finally:
        keyring.set_keyring(before)


class Failing(KeyringBackend):
    """A backend that raises what it is given."""

    priority = 1

    def __init__(self, error: Exception) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self._error

    def set_password(self, service: str, username: str, password: str) -> None:
        raise self._error


class DBusErrorResponse(Exception):
    """Of a library that no backend catches."""


class TestKeyring:
    @pytest.mark.parametrize(
        "error",
        [
            DBusErrorResponse("UnknownMethod"),
            KeyringLocked("locked"),
            InitError("nobody answered"),
            OSError(13, "denied"),
        ],
    )
    def test_one_that_fails_names_the_setting_that_makes_it_needless(
        self, client: tuple[Callable[[], Any], str], error: Exception
    ) -> None:
        make, missing = client
        with backend(Failing(error)), pytest.raises(ConfigurationError, match=type(error).__name__) as caught:
            make()
        assert missing in str(caught.value)
        assert str(error) not in str(caught.value)  # others' words may hold anything

    def test_a_backend_that_is_not_installed_does_too(
        self, client: tuple[Callable[[], Any], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make, missing = client
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "nosuch.Backend")
        monkeypatch.setattr(keyring.core, "_keyring_backend", None)
        with pytest.raises(ConfigurationError, match=missing):
            make()

    @pytest.mark.parametrize("empty", [null.Keyring, fail.Keyring])
    def test_an_empty_one_and_none_at_all_are_no_fault(
        self, client: tuple[Callable[[], Any], str], empty: Callable[[], KeyringBackend]
    ) -> None:
        make, missing = client
        with backend(empty()), pytest.raises(ConfigurationError, match=rf"^No .* is set for A: set {missing}"):
            make()

    def test_one_that_cannot_be_imported_is_none(
        self, client: tuple[Callable[[], Any], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "keyring", None)
        with pytest.raises(ConfigurationError, match=r"^No .* is set for A"):
            client[0]()


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may look into every folder; nobody may not."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


class TestFolders:
    def test_a_working_folder_that_was_deleted_is_named(
        self, client: tuple[Callable[[], Any], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()
        with pytest.raises(ConfigurationError, match=r"working folder was deleted.*file=, --config"):
            client[0]()
        for name in ("journal", "inbox"):
            with pytest.raises(ConfigurationError, match=rf"{name}='here' leads nowhere: the working folder"):
                settings.lasting_path("here", name)
        with pytest.raises(ConfigurationError, match=r"file='gridwire\.toml' leads nowhere"):
            EpiasStp.from_env(file=Path("gridwire.toml"))

    def test_a_folder_that_may_not_be_looked_into_is_named(
        self, client: tuple[Callable[[], Any], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
            private = Path(folder) / "private"
            private.mkdir()
            monkeypatch.chdir(private)
            private.chmod(0)
            Path(folder).chmod(0o755)
            try:
                with as_nobody(), pytest.raises(ConfigurationError, match=r"cannot be looked for in .*private"):
                    client[0]()
            finally:
                monkeypatch.undo()
                private.chmod(0o700)

    def test_files_that_may_not_be_looked_at_are_named_with_their_setting(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            private = Path(folder) / "private"
            private.mkdir(mode=0o700)
            Path(folder).chmod(0o755)
            private.chmod(0)
            with as_nobody():
                for name in ("ca_bundle", "client_cert", "--config"):
                    with pytest.raises(ConfigurationError, match=rf"{name} names .* cannot be looked at \(Permission"):
                        settings.existing(private / "x.pem", name, "file")
                with pytest.raises(ConfigurationError, match="schemas names"):
                    settings.existing(private / "x", "schemas", "folder")
            private.chmod(0o700)

    async def test_without_a_temporary_folder_a_sandbox_says_what_to_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A sandbox of documents, and the throw-away journal of a client at one of bids."""
        async with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp) as stp:
            monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
            with pytest.raises(ConfigurationError, match="set TMPDIR"):
                await stp.bids.known()
            with pytest.raises(ConfigurationError, match="set TMPDIR"):
                async with Sandbox("siooi"):
                    pass


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container whose user is in no list."""

    def nobody(_: object) -> Any:
        raise KeyError("uid not found")

    for name in ("HOME", "XDG_STATE_HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)


@pytest.mark.usefixtures("homeless")
class TestNoHome:
    @pytest.mark.parametrize("home", [None, "", "relative"])
    def test_each_file_that_has_no_usual_place_names_its_setting(
        self, home: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from gridwire.auth.ticket_file import TicketFile
        from gridwire.intents.journal import default_directory

        if home is not None:
            monkeypatch.setenv("HOME", home)
        places: dict[str, Callable[[], object]] = {
            "journal": default_directory,
            "ticket_file": TicketFile,
            "inbox": lambda: default_inbox("me"),
        }
        for name, place in {**places, "journal ": default_path}.items():
            with pytest.raises(ConfigurationError, match=rf"the setting {name.strip()} .*_{name.strip().upper()}\)"):
                place()

    def test_a_state_folder_for_all_is_enough(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        assert settings.state_directory("journal") == tmp_path / "gridwire"

    def test_who_settles_an_upload_is_asked_for(
        self, cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(getpass, "getuser", lambda: (_ for _ in ()).throw(KeyError("uid not found")))
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        ran = cli("siooi", "resolve", "U1", "--as", "absent", "--note", "looked")
        assert (ran.code, "--by" in ran.err) == (2, True)


class TestFiles:
    def test_a_byte_order_mark_is_passed_over(self, tmp_path: Path) -> None:
        """As Windows editors write it: in the settings, and in a profile in both its forms."""
        file = tmp_path / "gridwire.toml"
        file.write_bytes(b'\xef\xbb\xbf[epias_stp]\nenvironment = "mars"\n')
        with pytest.raises(ConfigurationError, match="ENVIRONMENT is 'mars'"):
            EpiasStp.from_env(file=file)
        profile = tmp_path / "profile.toml"
        profile.write_bytes(b"\xef\xbb\xbf" + PROFILE.read_bytes())
        assert load_profile(profile) == load_profile(PROFILE)
        as_json = tmp_path / "profile.json"
        text = load_profile(PROFILE).model_dump_json(by_alias=True, exclude_none=True)
        as_json.write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert load_profile(as_json).name == load_profile(PROFILE).name

    @pytest.mark.parametrize("encoding", ["utf-16", "cp1254"])
    def test_another_encoding_is_refused_in_a_sentence(self, tmp_path: Path, encoding: str) -> None:
        file = tmp_path / "gridwire.toml"
        file.write_text('[epias_stp]\napplication = "gece masası"\n', encoding=encoding)
        with pytest.raises(
            ConfigurationError, match=r"gridwire\.toml cannot be read: it is not UTF-8\. Save it as UTF-8"
        ):
            EpiasStp.from_env(file=file)

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        for path, why in ((tmp_path / "none.toml", "No such file"), (tmp_path, "Is a directory")):
            with pytest.raises(ConfigurationError, match=rf"{path} cannot be read: {why}"):
                EpiasStp.from_env(file=path)


def test_a_variable_that_is_no_text_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWIRE_EPIAS_STP_PASSWORD", os.fsdecode(b"hunter\xff"))
    with pytest.raises(GridwireError, match=r"variable GRIDWIRE_EPIAS_STP_PASSWORD is not UTF-8") as caught:
        EpiasStp.from_env(environment="test", username="A")
    assert "hunter" not in str(caught.value)

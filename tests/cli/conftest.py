"""A sandbox in a thread with a loop of its own, and the command line in this process or in one of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gridwire.cli import main
from gridwire.sandbox import Sandbox

DEADLINE_S = 20


@dataclass(frozen=True)
class Ran:
    """One finished command."""

    code: int
    out: str
    err: str


class Running:
    """A simulator in its thread. Its state may be read from here; knobs and faults may be set."""

    def __init__(self, name: str = "epias_stp", *, tls: bool = False) -> None:
        self._ready: Future[dict[str, str]] = Future()
        self._end = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._name = name
        self._tls = tls
        self.venue: Any
        self._thread = threading.Thread(target=self._run)

    def start(self) -> dict[str, str]:
        """Returns the environment that points a client here."""
        self._thread.start()
        return self._ready.result(DEADLINE_S)

    def stop(self) -> None:
        """Ends it."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(DEADLINE_S)
        self._loop.close()

    def _run(self) -> None:
        async def serve() -> None:
            async with Sandbox(self._name, tls=self._tls) as box:
                self.venue = box.venue(self._name)
                self._ready.set_result(box.describe()["venues"][self._name]["env"])
                await self._end.wait()
            left = asyncio.all_tasks() - {asyncio.current_task()}  # requests that were left without an answer
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

        self._loop.run_until_complete(serve())

    def do(self, work: Callable[[], object]) -> None:
        """Call ``work`` on the simulator's own loop."""
        self._loop.call_soon_threadsafe(work)

    @property
    def contract(self) -> str:
        """The last daily contract that is open."""
        name: str = self.venue.market.active("STANDART")[-1].name
        return name

    def secrets(self) -> list[str]:
        """What no output may hold."""
        if self._name == "edsn_pie":
            return ["eyJ", "PRIVATE KEY"]
        return ["TGT-", "ST-", *self.venue.cas.passwords.values()]


@pytest.fixture(autouse=True)
def _clean_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this machine's user, and a ticket file nobody else has."""
    for name in [name for name in os.environ if name.startswith("GRIDWIRE_")]:
        monkeypatch.delenv(name)
    for name in ("FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def box(_clean_place: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A running sandbox; the environment points at it."""
    running = Running()
    for name, value in running.start().items():
        monkeypatch.setenv(name, value)
    yield running
    running.stop()


@pytest.fixture
def pie(_clean_place: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A running simulator of Partners in Energie; the environment points at it."""
    running = Running("edsn_pie")
    for name, value in running.start().items():
        monkeypatch.setenv(name, value)
    yield running
    running.stop()


Cli = Callable[..., Ran]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Cli:
    """Runs one command line in this process and holds its output against the secrets of the sandbox."""

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(arguments)
        ran = Ran(code, *capsys.readouterr())
        for name in {"box", "pie"} & set(request.fixturenames):
            assert_no_secret(request.getfixturevalue(name), ran.out + ran.err)
        return ran

    return run


def assert_no_secret(box: Running, text: str) -> None:
    assert [secret for secret in box.secrets() if secret in text] == []


def spawn(*arguments: str) -> subprocess.Popen[str]:
    """The command line in a process of its own, with pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "gridwire.cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], interrupt: signal.Signals | None = None) -> Ran:
    """Its end; ``interrupt`` asks for it."""
    if interrupt is not None:
        process.send_signal(interrupt)
    try:
        out, err = process.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert "Traceback" not in err
    return Ran(process.returncode, out, err)


def until(happened: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait for what the simulator shows while ``process`` runs."""
    while not happened():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
            raise AssertionError(process.communicate())


def run(*arguments: str) -> Ran:
    """One command line in a process of its own, from start to end."""
    return finish(spawn(*arguments))


def in_shell(redirection: str, *arguments: str) -> Ran:
    """One command line with its streams as a shell redirects them, ``>&-`` for one."""
    line = shlex.join([sys.executable, "-m", "gridwire.cli", *arguments])
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"exec {line} {redirection}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    return finish(process)


class Terminal:
    """The command line on a terminal of ``columns`` by ``lines``."""

    def __init__(self, *arguments: str, columns: int = 80, lines: int = 24) -> None:
        self._master, slave = pty.openpty()
        self.screen = ""
        self._end_s = time.monotonic() + DEADLINE_S
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gridwire.cli", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "COLUMNS": str(columns), "LINES": str(lines), "TERM": "xterm"},
        )
        os.close(slave)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def until(self, text: str) -> None:
        """Read until ``text`` has appeared."""
        while text not in self.screen:
            self._read()

    def _read(self) -> None:
        left_s = self._end_s - time.monotonic()
        if left_s <= 0 or not select.select([self._master], [], [], left_s)[0]:
            self.process.kill()
            self.process.wait()
            raise AssertionError(self.screen)
        self.screen += os.read(self._master, 65_536).decode(errors="replace")

    def end(self) -> int:
        """Read to the end; returns the exit code."""
        with contextlib.suppress(OSError):  # the other side has closed it
            while True:
                self._read()
        os.close(self._master)
        assert "Traceback" not in self.screen
        return self.process.wait(DEADLINE_S)


class Office(Running):
    """АС СиОИ with jobs that end soon."""

    def __init__(self) -> None:
        super().__init__("siooi")

    @property
    def documents(self) -> Path:
        """The folder with its sample documents."""
        folder: Path = self.venue.folder / "documents"
        return folder


@pytest.fixture
def siooi_box(_clean_place: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    running = Office()
    for name, value in running.start().items():
        monkeypatch.setenv(name, value)
    running.venue.knobs.queue_s = running.venue.knobs.run_s = 0.2
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    yield running
    running.stop()


@pytest.fixture
def siooi_cli(siooi_box: Office, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """``gridwire siooi …`` in this process; no output of it may hold a secret."""

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(["siooi", *arguments])
        ran = Ran(code, *capsys.readouterr())
        secrets = [*siooi_box.venue.registry.passwords.values(), *siooi_box.venue.registry.tokens]
        assert [one for one in secrets if one in ran.out + ran.err] == []
        return ran

    return run

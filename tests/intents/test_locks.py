"""Locks that end with their process."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gridwire.intents.locks import try_lock, unlock


def opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT)


def test_one_open_file_at_a_time_holds_it(tmp_path: Path) -> None:
    one, two = opened(tmp_path / "file"), opened(tmp_path / "file")
    assert try_lock(one)
    assert not try_lock(two)
    os.close(one)
    assert try_lock(two)
    os.close(two)


def test_unlocking_lets_it_go_also_for_a_shared_open_file(tmp_path: Path) -> None:
    one, two = opened(tmp_path / "file"), opened(tmp_path / "file")
    shared = os.dup(one)
    assert try_lock(one)
    os.close(one)
    assert not try_lock(two)
    unlock(shared)
    assert try_lock(two)
    os.close(two)
    os.close(shared)


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    script = (
        "import os, sys\nfrom gridwire.intents.locks import try_lock\n"
        f"print(try_lock(os.open({str(path)!r}, os.O_RDWR | os.O_CREAT)), flush=True)\nsys.stdin.read()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    mine = opened(path)
    assert not try_lock(mine)
    process.kill()
    process.communicate()
    assert try_lock(mine)
    os.close(mine)


def test_a_file_system_without_locks_is_an_error_and_not_somebody_elses_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    one = opened(tmp_path / "file")
    with pytest.raises(OSError, match="not supported"):
        try_lock(one)
    os.close(one)

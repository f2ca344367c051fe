"""Runs: who lives, and who may work alone."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from pathlib import Path

import pytest

from gridwire.intents import runs
from gridwire.intents.locks import try_lock
from gridwire.intents.runs import alone, ends_in_children, is_alive, new_run
from tests.intents.runs import descriptors, path_of


def test_a_runs_name_tells_its_time_and_process_and_is_no_others() -> None:
    name = new_run()
    assert re.fullmatch(rf"\d{{8}}T\d{{6}}-{os.getpid()}-[0-9a-f]{{8}}-[0-9a-f]{{8}}-1", name)
    assert new_run() != name


def test_a_run_lives_while_its_file_is_locked(tmp_path: Path) -> None:
    lock = tmp_path / "run.lock"
    assert not is_alive(lock)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT)
    assert not is_alive(lock)
    assert try_lock(descriptor)
    assert is_alive(lock)
    os.close(descriptor)
    assert not is_alive(lock)


def test_who_holds_the_lock_for_too_long_is_named(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(BlockingIOError, match="too long"), alone(tmp_path / "lock", wait_s=0.02):
        pass
    os.close(descriptor)
    with alone(tmp_path / "lock", wait_s=0.0):
        pass


def test_the_lock_is_free_again_although_a_child_shares_the_file(tmp_path: Path) -> None:
    with alone(tmp_path / "lock"):
        shared = os.dup(next(fd for fd in descriptors() if path_of(fd) == str(tmp_path / "lock")))
    with alone(tmp_path / "lock", wait_s=0.0):
        pass
    os.close(shared)


def test_a_child_is_told_of_every_run_that_is_open() -> None:
    class Holder:
        ended = 0

        def _abandon(self) -> None:
            self.ended += 1

    holder = Holder()
    ends_in_children(holder)
    runs._forked()
    assert holder.ended == 1


def test_a_lock_that_can_be_opened_in_no_way_says_why_it_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(OSError, match="read-only"), alone(tmp_path / "lock"):
        pytest.fail("it was locked")

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from pydantic import SecretStr

from gridwire.auth.refusal_file import MOST_ACCOUNTS, RefusalFile

WRONG, RIGHT = SecretStr("Gizli&Söz"), SecretStr("another")


async def test_a_refused_password_is_held_for_an_hour_and_another_is_not(tmp_path: Path) -> None:
    path = tmp_path / "new" / "refused"
    held = RefusalFile(path, "siooi/x/robot", WRONG)
    assert await held.held() == 0
    await held.note()
    assert 3590 < await RefusalFile(path, "siooi/x/robot", WRONG).held() <= 3600
    assert await RefusalFile(path, "siooi/x/robot", RIGHT).held() == 0
    assert await RefusalFile(path, "siooi/x/other", WRONG).held() == 0
    await asyncio.sleep(3601)
    assert await held.held() == 0


async def test_the_file_is_private_and_holds_no_password(tmp_path: Path) -> None:
    path = tmp_path / "refused"
    await RefusalFile(path, "a", WRONG).note()
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert b"Gizli" not in path.read_bytes()
    assert os.listdir(tmp_path) == ["refused"]


async def test_it_keeps_the_latest_accounts(tmp_path: Path) -> None:
    path = tmp_path / "refused"
    for number in range(3):
        await RefusalFile(path, f"a{number}", WRONG).note()
    assert await RefusalFile(path, "a0", WRONG).held() > 0
    held = RefusalFile(path, "a0", WRONG)
    held._write({f"b{n}": held._read()["a0"] for n in range(MOST_ACCOUNTS + 10)})
    await held.note()
    assert len(held._read()) == MOST_ACCOUNTS
    assert await held.held() > 0


async def test_a_file_that_cannot_be_used_stands_in_nobodys_way(tmp_path: Path) -> None:
    for content in (b"", b"{", b'{"a": 1}'):
        (tmp_path / "refused").write_bytes(content)
        assert await RefusalFile(tmp_path / "refused", "a", WRONG).held() == 0
    blocked = RefusalFile(tmp_path / "refused" / "below a file", "a", WRONG)
    await blocked.note()
    assert await blocked.held() == 0


async def test_a_clock_that_was_set_back_locks_nobody_out(tmp_path: Path) -> None:
    held = RefusalFile(tmp_path / "refused", "a", WRONG)
    await asyncio.to_thread(held._note, 4_000_000_000.0)
    assert await held.held() == 0

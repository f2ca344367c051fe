"""What is remembered of logins, in memory."""

from __future__ import annotations

from pydantic import SecretStr

from gridwire.auth.login_store import LoginRecord, MemoryStore, Refusal


def test_a_refusal_knows_its_password_and_shows_nothing() -> None:
    refusal = Refusal.of(SecretStr("geheim\udc80"), 5.0)
    assert refusal.concerns(SecretStr("geheim\udc80"))
    assert not refusal.concerns(SecretStr("Geheim"))
    assert refusal.digest not in repr(refusal)


def test_two_refusals_of_one_password_do_not_look_alike() -> None:
    assert Refusal.of(SecretStr("geheim"), 5.0).digest != Refusal.of(SecretStr("geheim"), 5.0).digest


def test_a_record_does_not_show_its_session() -> None:
    assert "TGT-" not in repr(LoginRecord(tgt="TGT-1-a"))


async def test_a_use_counts_for_the_session_it_was_made_with() -> None:
    store = MemoryStore()
    async with store.exclusive() as record:
        record.tgt = "TGT-1-a"
        await store.save(record)
    for tgt, used in (("TGT-1-a", 7.0), ("TGT-1-a", 3.0), ("TGT-2-b", 9.0)):
        await store.touch(tgt, used)
    async with store.exclusive() as record:
        assert record.tgt_used == 7.0

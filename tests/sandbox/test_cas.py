from __future__ import annotations

import pytest

from gridwire.sandbox.cas import Cas, CasKnobs

STP, OTHER = "https://stp", "https://other"


def make(**knobs: object) -> Cas:
    return Cas(1, {"ALI": "sesame", "VELI": "open"}, {STP, OTHER}, CasKnobs(**knobs))  # type: ignore[arg-type]


def login(cas: Cas, now: float = 0.0, user: str = "ALI") -> str:
    ticket = cas.login(user, cas.passwords[user], now)
    assert ticket is not None
    return ticket


def st(cas: Cas, tgt: str, now: float, service: str = STP) -> str:
    ticket = cas.service_ticket(tgt, service, now)
    assert ticket is not None
    return ticket


def test_a_service_ticket_is_good_once_for_its_service_and_names_its_user() -> None:
    cas = make()
    ticket = st(cas, login(cas), 1.0)
    first = cas.validate(ticket, STP, 5.0)
    assert (first.ok, first.user, first.number, first.age_s) == (True, "ALI", 1, 4.0)
    second = cas.validate(ticket, STP, 6.0)
    assert (second.ok, second.why, second.user) == (False, "used", "ALI")


def test_a_service_ticket_may_be_allowed_more_uses() -> None:
    cas = make(st_uses=2)
    ticket = st(cas, login(cas), 0.0)
    assert [cas.validate(ticket, STP, 0.0).ok for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(("age", "ok"), [(29.9, True), (30.0, True), (30.1, False)])
def test_a_service_ticket_lives_thirty_seconds(age: float, ok: bool) -> None:
    cas = make()
    assert cas.validate(st(cas, login(cas), 0.0), STP, age).ok is ok


def test_a_service_ticket_of_another_service_is_refused() -> None:
    cas = make()
    assert cas.validate(st(cas, login(cas), 0.0, OTHER), STP, 1.0).why == "foreign_service"


def test_missing_and_unknown_tickets_are_refused_without_a_user() -> None:
    cas = make()
    assert (cas.validate(None, STP, 0.0).why, cas.validate("ST-9", STP, 0.0).why) == ("missing", "unknown")
    assert cas.owner(None) is None
    assert cas.owner("ST-9") is None


def test_issuing_service_tickets_keeps_a_tgt_alive_for_hours() -> None:
    cas = make()
    tgt = login(cas)
    for minute in range(40, 361, 40):
        st(cas, tgt, minute * 60.0)
    assert cas.count("login") == 1


@pytest.mark.parametrize(("idle_s", "alive"), [(44 * 60 + 59, True), (45 * 60, True), (45 * 60 + 1, False)])
def test_a_tgt_dies_after_45_idle_minutes(idle_s: float, alive: bool) -> None:
    cas = make()
    tgt = login(cas)
    assert cas.tgt_alive(tgt, idle_s) is alive
    assert (cas.service_ticket(tgt, STP, idle_s) is not None) is alive


def test_asking_for_its_state_does_not_prolong_a_tgt() -> None:
    cas = make()
    tgt = login(cas)
    assert cas.tgt_alive(tgt, 2000.0)
    assert not cas.tgt_alive(tgt, 2701.0)


def test_a_hard_limit_ends_a_tgt_in_use() -> None:
    cas = make(tgt_max_s=100.0)
    tgt = login(cas)
    st(cas, tgt, 99.0)
    assert cas.service_ticket(tgt, STP, 101.0) is None


def test_logout_kills_the_service_tickets_already_issued() -> None:
    cas = make()
    tgt = login(cas)
    ticket = st(cas, tgt, 0.0)
    cas.logout(tgt, 1.0)
    cas.logout("TGT-unknown", 1.0)
    assert cas.validate(ticket, STP, 2.0).why == "dead_parent"
    assert cas.service_ticket(tgt, STP, 2.0) is None
    assert cas.owner(tgt) == "ALI"


def test_an_unregistered_service_gets_no_ticket() -> None:
    cas = make()
    with pytest.raises(ValueError, match="not registered"):
        cas.service_ticket(login(cas), "https://elsewhere", 0.0)


def test_too_many_logins_ban_the_user_for_a_while_and_nobody_else() -> None:
    cas = make(login_limit=2, login_window_s=60.0, ban_s=600.0)
    login(cas, 0.0)
    login(cas, 1.0)
    with pytest.raises(PermissionError):
        cas.login("ALI", "sesame", 2.0)
    with pytest.raises(PermissionError):
        cas.login("ALI", "sesame", 500.0)
    login(cas, 3.0, "VELI")
    login(cas, 602.0)
    assert (cas.count("banned"), cas.count("login", "ALI"), cas.count("login")) == (2, 3, 4)


def test_old_attempts_do_not_count_and_no_limit_means_none() -> None:
    cas = make(login_limit=1, login_window_s=60.0)
    login(cas, 0.0)
    login(cas, 60.0)
    unlimited = make(login_limit=None)
    for second in range(200):
        login(unlimited, second)


def test_a_ban_can_be_set_by_hand() -> None:
    cas = make()
    cas.ban("ALI", until=10.0)
    with pytest.raises(PermissionError):
        cas.login("ALI", "sesame", 9.0)
    login(cas, 10.0)


def test_a_wrong_password_gives_nothing_and_is_logged() -> None:
    cas = make()
    assert cas.login("ALI", "guess", 0.0) is None
    assert cas.login("NOBODY", "guess", 0.0) is None
    assert cas.count("login_refused") == 2


def test_the_log_tells_the_story_in_numbers() -> None:
    cas = make()
    tgt = login(cas, 1.0)
    cas.validate(st(cas, tgt, 2.0), STP, 3.0)
    cas.service_ticket("TGT-unknown", STP, 4.0)
    story = [(event.at, event.kind, event.user, event.tgt, event.st) for event in cas.log]
    assert story == [
        (1.0, "login", "ALI", 1, None),
        (2.0, "service_ticket", "ALI", 1, 1),
        (3.0, "validated", "ALI", 1, 1),
        (4.0, "service_ticket_refused", None, None, None),
    ]


def test_the_same_seed_gives_the_same_tickets_and_repr_gives_none() -> None:
    one, two = make(), make()
    tgt = login(one)
    assert tgt == login(two)
    assert st(one, tgt, 0.0) == st(two, tgt, 0.0)
    assert "TGT-" not in repr(one)
    assert "sesame" not in repr(one)
    assert not any("TGT-" in repr(event) or "ST-" in repr(event) for event in one.log)


def test_only_so_many_tickets_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gridwire.sandbox.cas._KEPT", 3)
    cas = make()
    tgt = login(cas)
    tickets = [st(cas, tgt, 0.0) for _ in range(4)]
    assert [cas.owner(ticket) for ticket in tickets] == [None, "ALI", "ALI", "ALI"]
    assert cas.validate(tickets[3], STP, 0.0).number == 4

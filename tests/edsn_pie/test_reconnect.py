"""The table of what follows on each end of a link, and its memory."""

from __future__ import annotations

from typing import Any

import pytest

from gridwire.edsn_pie.reconnect import TABLE, Action, Reconnect
from gridwire.transport.amqp_failure import AmqpFailure, Cause, Condition, Stage


def failure(stage: Stage, cause: Cause, condition: str | None = None, **more: Any) -> AmqpFailure:
    found = Condition(condition) if condition is not None else None
    return AmqpFailure("it ended", stage=stage, cause=cause, condition=found, **more)


def highest(_: float, bound: float) -> float:
    return bound


PASSING = [
    failure("connect", "network"),
    failure("connect", "timeout"),
    failure("tls", "network"),
    failure("sasl", "eof"),
    failure("sasl", "timeout"),
    failure("sasl", "outcome", outcome=2),
    failure("sasl", "outcome", outcome=4),
    failure("sasl", "condition", "amqp:internal-error"),
    failure("sasl", "condition"),
    failure("open", "condition", "amqp:internal-error"),
    failure("attach", "condition", "amqp:resource-limit-exceeded"),
    failure("attach", "condition"),
    failure("attach", "condition", "amqp:resource-locked"),
    failure("stream", "condition", "amqp:precondition-failed"),
    failure("stream", "eof"),
    failure("stream", "idle", "amqp:resource-limit-exceeded"),
    failure("stream", "garbage", "amqp:connection:framing-error"),
    failure("stream", "condition", "amqp:connection:forced"),
    failure("stream", "condition", "amqp:link:detach-forced"),
    failure("stream", "condition", "amqp:not-found"),
    failure("stream", "condition"),
]

FINAL = [
    (failure("tls", "certificate"), Action.STOP_TLS),
    (failure("sasl", "outcome", outcome=3), Action.STOP_BROKER),
    (failure("sasl", "mechanism"), Action.STOP_MECHANISM),
    (failure("attach", "null_source"), Action.STOP_QUEUE),
    (failure("attach", "settled"), Action.STOP_SETTLED),
    (failure("sasl", "garbage"), Action.STOP_PLACE),
    (failure("open", "condition", "amqp:not-found"), Action.STOP_VIRTUAL_HOST),
    (failure("open", "condition", "amqp:invalid-field"), Action.STOP_VIRTUAL_HOST),
    (failure("open", "condition", "amqp:not-allowed"), Action.STOP_VIRTUAL_HOST),
    (failure("attach", "condition", "amqp:precondition-failed"), Action.STOP_QUEUE),
    (failure("attach", "condition", "amqp:not-implemented"), Action.STOP_QUEUE),
    (failure("attach", "condition", "amqp:not-found"), Action.STOP_QUEUE),
    (failure("attach", "condition", "amqp:unauthorized-access"), Action.STOP_QUEUE),
    (failure("attach", "condition", "amqp:link:redirect"), Action.STOP_REDIRECT),
    (failure("stream", "condition", "amqp:connection:redirect"), Action.STOP_REDIRECT),
]


@pytest.mark.parametrize("ended", PASSING, ids=lambda one: f"{one.stage} {one.cause} {one.condition or one.outcome}")
def test_passing_trouble_is_met_with_a_pause_and_the_same_token(ended: AmqpFailure) -> None:
    verdict = Reconnect(highest).judge(ended, 0.0)
    assert (verdict.stop, verdict.pause_s, verdict.new_token) == (None, 1.0, False)


@pytest.mark.parametrize(("ended", "action"), FINAL, ids=lambda one: str(getattr(one, "name", "")))
def test_what_waiting_does_not_mend_is_the_end(ended: AmqpFailure, action: Action) -> None:
    assert Reconnect(highest).judge(ended, 0.0).stop is action


@pytest.mark.parametrize(
    "ended",
    [
        failure("sasl", "outcome", outcome=1),
        failure("sasl", "condition", "amqp:unauthorized-access"),
        failure("open", "condition", "amqp:unauthorized-access"),
    ],
)
def test_a_refused_token_is_replaced_once_at_once_and_then_it_is_the_end(ended: AmqpFailure) -> None:
    rules = Reconnect(highest)
    first = rules.judge(ended, 0.0)
    assert (first.stop, first.pause_s, first.new_token) == (None, 0.0, True)
    assert rules.judge(ended, 1.0).stop is Action.NEW_LOGIN


def test_a_login_that_succeeds_in_between_begins_anew() -> None:
    rules = Reconnect(highest)
    refused = failure("sasl", "outcome", outcome=1)
    assert rules.judge(refused, 0.0).stop is None
    rules.logged_in()
    assert rules.judge(refused, 1.0).stop is None


def test_a_token_that_expires_under_the_link_is_replaced_at_once_but_not_again_and_again() -> None:
    rules = Reconnect(highest)
    expired = failure("stream", "condition", "amqp:unauthorized-access")
    rules.streaming(0.0)
    first = rules.judge(expired, 10.0)
    assert (first.pause_s, first.new_token) == (0.0, True)
    rules.streaming(11.0)
    second = rules.judge(expired, 12.0)
    assert (second.pause_s, second.new_token) == (1.0, True)
    rules.streaming(13.0)
    third = rules.judge(expired, 73.0)
    assert (third.pause_s, third.new_token) == (0.0, True)


def pauses(outage_s: float) -> list[tuple[float, float]]:
    rules, now, found = Reconnect(highest), 0.0, []
    rules.logged_in()
    while now <= outage_s:
        pause_s = rules.judge(failure("connect", "network"), now).pause_s
        found.append((now, pause_s))
        now += pause_s
    return found


def test_pauses_double_and_stay_short_while_the_outage_is_young() -> None:
    found = pauses(3600)
    assert [pause for _, pause in found[:4]] == [1.0, 2.0, 2.0, 2.0]
    assert all(pause <= max(2.0, now / 4) for now, pause in found)
    assert found[-1][1] == 60.0


def test_pauses_begin_anew_after_a_minute_of_streaming_and_not_before() -> None:
    rules = Reconnect(highest)
    lost = failure("stream", "eof")
    assert rules.judge(lost, 0.0).pause_s == 1.0
    rules.streaming(1.0)
    assert rules.judge(lost, 60.9).pause_s == 2.0
    rules.streaming(61.0)
    assert rules.judge(lost, 121.0).pause_s == 1.0


@pytest.mark.parametrize("condition", [None, "amqp:unauthorized-access"])
def test_a_broker_that_takes_the_link_and_ends_it_again_is_left_alone_for_longer_and_longer(
    condition: str | None,
) -> None:
    """With unauthorized, every try also asks the identity provider for a token."""
    rules, now, found = Reconnect(highest), 0.0, []
    for _ in range(40):
        rules.logged_in()
        rules.streaming(now)
        now += 0.5
        found.append(rules.judge(failure("stream", "condition", condition), now).pause_s)
        now += found[-1]
    assert found[-1] == 60.0
    assert sum(pause < 30 for pause in found) <= 25
    rules.streaming(now)
    healthy = rules.judge(failure("stream", "eof"), now + 60)
    assert healthy.pause_s == 1.0
    assert rules.judge(failure("connect", "network"), now + 61).pause_s == 2.0, "a young outage again"


def test_a_link_that_brings_messages_and_is_lost_each_time_is_used_again_within_seconds() -> None:
    rules, now = Reconnect(highest), 0.0
    for _ in range(40):
        rules.streaming(now)
        now += 5
        verdict = rules.judge(failure("stream", "eof"), now, served=True)
        assert verdict.pause_s <= 2.0
        now += verdict.pause_s
    assert rules.judge(failure("connect", "network"), now + 100).pause_s > 2.0, "and an outage after that grows old"


def test_an_identity_provider_is_not_asked_each_second_because_a_broker_lets_no_token_stand() -> None:
    rules, now, found = Reconnect(highest), 0.0, []
    for _ in range(9):
        rules.streaming(now)
        found.append(rules.judge(failure("stream", "condition", "amqp:unauthorized-access"), now).pause_s)
        now += found[-1]
    assert found == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_a_pause_is_drawn_between_nothing_and_its_bound_and_the_other_sides_wish_outranks_it() -> None:
    drawn: list[tuple[float, float]] = []
    rules = Reconnect(lambda low, high: drawn.append((low, high)) or 0.25)  # type: ignore[func-returns-value]
    assert rules.pause_s(0.0) == 0.25
    assert rules.pause_s(0.0, 30.0) == 30.0
    assert drawn == [(0.0, 1.0), (0.0, 2.0)]


def test_every_failure_meets_a_row() -> None:
    assert TABLE[-1].fits(failure("stream", "eof"))
    assert TABLE[-1].fits(failure("connect", "network", outcome=7))


def until_the_end(
    rules: Reconnect, ended: AmqpFailure, now: float
) -> tuple[list[float], list[bool], Action | None, float]:
    """The pauses, whether each wants a new token, what ends it, and when."""
    found: list[float] = []
    tokens: list[bool] = []
    while (verdict := rules.judge(ended, now)).stop is None:
        found.append(verdict.pause_s)
        tokens.append(verdict.new_token)
        now += verdict.pause_s
    return found, tokens, verdict.stop, now


@pytest.mark.parametrize(
    ("ended", "action"), [one for one in FINAL if one[1] not in (Action.STOP_PLACE, Action.STOP_REDIRECT)]
)
def test_a_broker_that_has_worked_may_refuse_for_five_minutes(ended: AmqpFailure, action: Action) -> None:
    rules = Reconnect(highest)
    rules.streaming(0.0)
    found, tokens, stop, end = until_the_end(rules, ended, 900.0)
    assert found == [1, 2, 4, 8, 16, 32, 60, 60, 60, 57], "growing pauses, and once more at the end"
    assert (stop, end, any(tokens)) == (action, 1200.0, False)
    assert rules.judge(ended, 1200.0).tried_s == 300.0


def test_a_broker_that_has_worked_and_is_elsewhere_now_is_not_tried_on() -> None:
    rules = Reconnect(highest)
    rules.streaming(0.0)
    assert rules.judge(failure("stream", "condition", "amqp:connection:redirect"), 900.0).stop is Action.STOP_REDIRECT


def test_a_login_that_is_refused_twice_after_it_worked_is_tried_on_with_new_tokens() -> None:
    rules = Reconnect(highest, patience_s=10.0)
    rules.logged_in()
    rules.streaming(0.0)
    found, tokens, stop, end = until_the_end(rules, failure("sasl", "outcome", outcome=1), 100.0)
    assert (found, set(tokens), stop, end) == ([0, 1, 2, 4, 3], {True}, Action.NEW_LOGIN, 110.0)


def test_the_patience_can_be_none_and_begins_anew_with_every_link() -> None:
    refused, lost = failure("attach", "null_source"), failure("stream", "eof")
    at_once = Reconnect(highest, patience_s=0.0)
    at_once.streaming(0.0)
    assert at_once.judge(refused, 1.0).stop is Action.STOP_QUEUE
    rules = Reconnect(highest, patience_s=10.0)
    rules.logged_in()
    rules.streaming(0.0)
    assert rules.judge(refused, 100.0).left_s == 10.0
    assert rules.judge(refused, 109.0).left_s == 1.0
    rules.streaming(109.5)
    assert rules.judge(refused, 111.0).left_s == 10.0, "it worked again in between"
    assert rules.judge(failure("connect", "network"), 114.0).stop is None
    assert rules.judge(refused, 500.0).left_s == 7.0, "it refused for 3 s before it was away"
    assert rules.judge(lost, 501.0).stop is None
    assert rules.judge(refused, 600.0).left_s == 6.0


@pytest.mark.parametrize(
    "between",
    [
        failure("connect", "network"),
        failure("sasl", "outcome", outcome=4),
        failure("open", "condition", "amqp:internal-error"),
        failure("stream", "eof"),
    ],
    ids=lambda one: f"{one.stage} {one.cause}",
)
@pytest.mark.parametrize(
    ("ended", "action"), [one for one in FINAL if one[1] not in (Action.STOP_PLACE, Action.STOP_REDIRECT)]
)
def test_refusals_end_a_stream_also_where_other_trouble_comes_between_them(
    ended: AmqpFailure, action: Action, between: AmqpFailure
) -> None:
    """A cluster of which one node refuses and the other is down."""
    rules, now, count, verdict = Reconnect(highest), 100.0, 0, None
    rules.streaming(0.0)
    while verdict is None or verdict.stop is None:
        verdict = rules.judge((ended, between)[count % 2], now)
        count, now = count + 1, now + verdict.pause_s
        assert now < 3600
    assert (verdict.stop, verdict.tried_s) == (action, 300.0)
    assert rules.pause_s(now) > 0


def test_time_in_which_no_token_was_to_be_had_is_no_refusal_of_the_broker() -> None:
    rules, refused = Reconnect(highest), failure("attach", "null_source")
    rules.streaming(0.0)
    assert rules.judge(refused, 100.0).left_s == 300.0
    rules.pause_s(110.0)
    assert rules.judge(refused, 9000.0).left_s == 290.0


def test_a_place_that_never_worked_ends_and_one_that_did_never_does() -> None:
    for ended in (
        failure("connect", "network"),
        failure("tls", "network"),
        failure("sasl", "eof"),
        failure("sasl", "timeout"),
    ):
        rules = Reconnect(highest)
        _, _, stop, end = until_the_end(rules, ended, 1000.0)
        assert (stop, end) == (Action.STOP_PLACE, 1300.0)
        worked = Reconnect(highest)
        worked.judge(failure("sasl", "outcome", outcome=4), 0.0)
        assert worked.judge(ended, 1.0).left_s is None, "there is a broker, so it may come back"
        assert worked.judge(ended, 9999.0).stop is None


def test_a_stranger_at_the_place_of_a_broker_that_worked_is_waited_out() -> None:
    rules = Reconnect(highest)
    rules.logged_in()
    rules.streaming(0.0)
    assert rules.judge(failure("sasl", "garbage"), 99.0).stop is None


def test_a_planned_change_of_the_token_ends_what_was_before_it() -> None:
    """The outage at 0 would have made the one at 900 fifteen minutes old, and its first pauses long."""
    rules, lost = Reconnect(highest), failure("connect", "network")
    rules.logged_in()
    for now in range(10):
        rules.judge(lost, float(now))
    rules.streaming(10.0)
    rules.rolled_over()
    rules.streaming(890.0)
    assert [rules.judge(lost, 900.0).pause_s, rules.judge(lost, 901.0).pause_s] == [1.0, 2.0]
    expired = failure("stream", "condition", "amqp:unauthorized-access")
    assert rules.judge(expired, 902.0).pause_s == 0.0
    assert rules.judge(expired, 903.0).pause_s == 1.0
    rules.rolled_over()
    assert rules.judge(expired, 904.0).pause_s == 0.0


def test_a_link_that_brought_messages_is_made_anew_soon_also_where_it_costs_a_token() -> None:
    rules, now = Reconnect(highest), 0.0
    for _ in range(20):
        rules.streaming(now)
        now += 40.0
        verdict = rules.judge(failure("stream", "condition", "amqp:unauthorized-access"), now, served=True)
        assert verdict.new_token
        assert verdict.pause_s <= 4.0

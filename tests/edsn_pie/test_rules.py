"""edsn_pie/rules.py: both tables, without a socket."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gridwire.auth.client_assertion import AssertionOptions, Grant, Refusal
from gridwire.edsn_pie import TEST, rules
from gridwire.edsn_pie.errors import (
    EdsnAnswerError,
    EdsnAuthError,
    EdsnConfigError,
    EdsnError,
    EdsnNotFound,
    EdsnPathError,
    EdsnPermissionError,
    EdsnProtocolError,
    EdsnRateLimited,
    EdsnRequestError,
    EdsnTransientError,
    EdsnVenueFailure,
    Facts,
)
from gridwire.errors import NoAnswer, NotSent
from gridwire.transport.exchange import Response
from gridwire.transport.retry import Again

NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)


def error(refusal: Refusal) -> EdsnError:
    return rules.token_error(refusal, TEST, NOW)


@pytest.mark.parametrize(
    ("life_s", "fresh_s", "usable_s"), [(3600, 3240, 3595), (900, 810, 895), (300, 270, 295), (40, 20, 35), (4, 2, 3)]
)
def test_tokens_are_renewed_in_time(life_s: float, fresh_s: float, usable_s: float) -> None:
    assert rules.refresh_after_s(life_s) == (fresh_s, usable_s)


def test_a_refused_client_is_told_what_to_check() -> None:
    found = error(Refusal("refused", "HTTP 400, 'JWT is not valid'", 400, "invalid_client", server_time=NOW))
    assert type(found) is EdsnAuthError
    text = str(found)
    assert text.startswith(
        "EDSN's identity provider (acc.idp.cmf.energysector.nl) refused the service account (HTTP 400, "
    )
    assert "portal: https://portal.idp.acc.cmf.energysector.nl/gegevens" in text
    assert "clock" not in text
    assert text.endswith("[token, HTTP 400, error invalid_client]")
    bare = rules.token_error(Refusal("refused", "x"), replace(TEST, portal_url=None), NOW)
    assert "portal" not in str(bare)


@pytest.mark.parametrize(("ahead_s", "words"), [(90, "is 90 s behind"), (-90, "is 90 s ahead of"), (29, ""), (-29, "")])
def test_a_clock_that_is_off_is_named(ahead_s: float, words: str) -> None:
    found = error(Refusal("refused", "x", server_time=NOW + timedelta(seconds=ahead_s)))
    assert ("This machine's clock" in str(found)) == bool(words)
    assert words in str(found)


def test_the_other_kinds_of_refusals() -> None:
    found = error(Refusal("settings", "x", 400, "invalid_scope"))
    assert type(found) is EdsnConfigError
    assert "It asked for scope 'roles'" in str(found)
    assert "no scope" in str(rules.token_error(Refusal("settings", "x"), replace(TEST, scope=None), NOW))
    assert type(error(Refusal("protocol", "x", 200))) is EdsnProtocolError


@pytest.mark.parametrize(
    ("refusal", "pause_s"),
    [
        (Refusal("transient", "x", 503), None),
        (Refusal("transient", "x", 429), 30.0),
        (Refusal("transient", "x", 503, retry_after="7"), 7.0),
        (Refusal("transient", "x", 429, retry_after="soon"), 30.0),
        (Refusal("transient", "no answer", None, "disconnected"), None),
    ],
)
def test_a_provider_that_is_down_is_asked_again(refusal: Refusal, pause_s: float | None) -> None:
    found = error(refusal)
    assert isinstance(found, EdsnTransientError)
    assert found.retry_after_s == pause_s
    assert rules.token_again(found) == Again(3, pause_s)


def test_what_the_next_try_would_meet_again_is_not_tried() -> None:
    assert rules.token_again(error(Refusal("transient", "certificate", error="tls"))) is None
    assert rules.token_again(error(Refusal("refused", "x"))) is None
    assert rules.token_again(ValueError()) is None
    assert rules.read_again(NotSent("", reason="tls")) is None
    assert rules.read_again(NoAnswer("", reason="too_large")) is None


def test_reads_are_repeated_after_failures_that_pass() -> None:
    assert rules.read_again(NotSent("", reason="dns")) == rules.read_again(NoAnswer("", reason="timeout")) == Again(3)
    assert rules.read_again(EdsnVenueFailure("")) == Again(3)
    assert rules.read_again(EdsnRateLimited("", retry_after_s=4.0)) == Again(3, 4.0)
    assert rules.read_again(EdsnNotFound("")) is None
    assert rules.read_again(EdsnTransientError("")) is None, "the token was asked for again already"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, EdsnAuthError), (403, EdsnPermissionError), (404, EdsnNotFound), (410, EdsnNotFound), (429, EdsnRateLimited),
        (500, EdsnVenueFailure), (504, EdsnVenueFailure), (302, EdsnAnswerError), (101, EdsnAnswerError),
        (400, EdsnRequestError), (422, EdsnRequestError), (418, EdsnRequestError),
    ],
)  # fmt: skip
def test_every_status_has_one_error(status: int, kind: type[EdsnError]) -> None:
    facts = Facts("get_ticket", status)
    found = rules.error_of(Response(status), facts, path_doubt=None, portal="https://portal", now=NOW)
    assert type(found) is kind
    assert found.facts is facts
    assert ("https://portal" in str(found)) == (status in (401, 403))


def test_a_404_speaks_of_the_path_while_it_is_in_doubt() -> None:
    found = rules.error_of(Response(404), Facts(), path_doubt="it is a guess", portal=None, now=NOW)
    assert type(found) is EdsnPathError
    assert "the path itself is not confirmed: it is a guess" in str(found)
    doubted = rules.path_doubt(TEST, "ticket_path", frozenset())
    assert doubted == TEST.facts["ticket_path"].why
    assert rules.path_doubt(TEST, "ticket_path", frozenset({"ticket_path"})) is None
    assert rules.path_doubt(replace(TEST, facts={}), "ticket_path", frozenset()) is None


def test_ids_and_codes_of_an_answer_are_kept() -> None:
    headers = {"x-request-id": "theirs", "x-correlation-id": "c" * 200}
    problem = Response(422, headers, b'{"title": "No", "errorCode": "E7"}')
    facts = rules.facts_of("get_ticket", problem, request_id="ours", correlation_id="ours too")
    assert (facts.request_id, facts.correlation_id, facts.error_code) == ("theirs", "c" * 80, "E7")
    facts = rules.facts_of(
        "get_ticket", Response(200, {}, b'{"errorCode": "E7"}'), request_id="ours", correlation_id="o"
    )
    assert (facts.request_id, facts.error_code, facts.problem) == ("ours", None, None)
    facts = rules.facts_of("get_ticket", Response(400, {}, b'{"errorCode": 7}'), request_id="o", correlation_id="o")
    assert facts.error_code is None
    echo = Response(401, {"x-request-id": "for-opaque77", "x-correlation-id": "opaque77"}, b'{"errorCode": "opaque77"}')
    facts = rules.facts_of("get_ticket", echo, request_id="o", correlation_id="o", secrets=("opaque77",))
    assert (facts.request_id, facts.correlation_id, facts.error_code) == ("for-***", "***", "***")


def test_scope_that_was_not_granted_is_a_warning() -> None:
    assert rules.scope_warning(Grant("t", 1, False, None), "roles") is None
    assert "and not roles" in str(rules.scope_warning(Grant("t", 1, False, "openid"), "roles"))


@pytest.mark.parametrize(
    ("claimed", "said"),
    [
        (None, None),
        ({"roles", "openid"}, None),
        ({"openid", "mail"}, "granted 'mail openid', as the token itself says, and not roles"),
        (set(), "granted '', as the token itself says, and not roles"),
    ],
)
def test_where_the_provider_names_no_scope_the_tokens_own_word_counts(
    claimed: set[str] | None, said: str | None
) -> None:
    told = rules.scope_warning(Grant("t", 1, False, None), "roles", claimed)
    assert told is None if said is None else said in str(told)
    assert rules.scope_warning(Grant("t", 1, False, "roles"), "roles", {"openid"}) is None, (
        "the provider's word comes first"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "named no key (kid; set key_id if several are registered)"),
        ({"key_id": "pie-1"}, "named the key 'pie-1' (kid; key_id)"),
    ],
)
def test_a_refused_assertion_says_what_it_named(options: dict[str, str], said: str) -> None:
    for audience, aud in (
        ("token_endpoint", "https://acc.idp.cmf.energysector.nl/am/oauth2/access_token"),
        ("issuer", "https://acc.idp.cmf.energysector.nl/am/oauth2"),
        ("urn:pie", "urn:pie"),
    ):
        profile = replace(TEST, audience=audience, assertion=AssertionOptions(**options))  # type: ignore[arg-type]
        text = str(rules.token_error(Refusal("refused", "x"), profile, NOW))
        assert (
            f"it named '{aud}' as its audience (aud; set audience), {said} and was signed by algorithm RS256." in text
        )


def test_skew_is_measured_from_the_providers_date() -> None:
    assert rules.skew_s(None, NOW) is None
    assert rules.skew_s(NOW + timedelta(seconds=3), NOW) == 3

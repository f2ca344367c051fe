"""What a token says about itself, for people and for the change of connections."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.edsn_pie.claims import claims, seconds_left, shown

NOW = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)


def token(**body: Any) -> str:
    return ".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (b"{}", json.dumps(body).encode(), b"s")
    )


def at(**delta: float) -> float:
    return (NOW + timedelta(**delta)).timestamp()


def test_the_life_that_is_left_is_counted_from_exp() -> None:
    assert seconds_left(token(exp=at(minutes=5)), NOW) == 300
    assert seconds_left(token(exp=at(minutes=-1)), NOW) == -60


@pytest.mark.parametrize(
    "text", ["opaque", "a.b.c", "..", token(), token(exp="soon"), token(exp=True), token(exp=1e300)]
)
def test_a_token_that_does_not_say_has_no_known_end(text: str) -> None:
    assert seconds_left(text, NOW) is None


def test_an_expired_token_is_told_with_its_age() -> None:
    sentence = shown(token(exp=at(seconds=-90), aud="pie"), NOW)
    assert (
        sentence
        == "The token by its own claims expired at 2026-12-01 05:58:30 UTC, 90 s ago, names 'pie' as its audience."
    )
    assert "12 min ago" in shown(token(exp=at(minutes=-12)), NOW)


def test_a_living_token_is_told_with_what_cannot_be_told() -> None:
    sentence = shown(token(exp=at(minutes=5), nbf=at(minutes=1), aud=["a", "b"], sub="sa", scope="roles"), NOW)
    assert "is valid until 2026-12-01 06:05:00 UTC, is not valid before 2026-12-01 06:01:00 UTC" in sentence
    assert "names 'a, b' as its audience, names 'sa' as its subject, names 'roles' as its scope" in sentence
    assert sentence.endswith("Whether its signature is good cannot be told from here.")


def test_an_opaque_token_and_one_without_an_end_are_told() -> None:
    assert "opaque" in shown("opaque", NOW)
    assert "names no end of its life" in shown(token(sub="x"), NOW)


def test_a_claim_cannot_steer_a_terminal_or_fill_a_page() -> None:
    sentence = shown(token(sub="\x1b[2J" + "x" * 500), NOW)
    assert "\x1b" not in sentence
    assert len(sentence) < 400


@given(st.text(max_size=200))
def test_no_text_makes_it_fail(text: str) -> None:
    assert shown(text, NOW)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_no_claims_make_it_fail(value: object) -> None:
    text = token(exp=value, nbf=value, aud=value, sub=value)
    assert text not in shown(text, NOW)
    assert isinstance(claims(text), dict)

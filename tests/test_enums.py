"""Open enumerations: known values are members, unknown ones pass through."""

from __future__ import annotations

import pickle

import pytest

from gridwire.enums import OpenEnum


class Direction(OpenEnum):
    BUY = "BUY"
    SELL = "SELL"


def test_a_known_value_is_the_member() -> None:
    assert Direction("BUY") is Direction.BUY
    assert Direction.BUY.known


def test_an_unknown_value_passes_through_and_says_so() -> None:
    swap = Direction("SWAP")
    assert swap == "SWAP"
    assert swap == Direction("SWAP")
    assert str(swap) == swap.value == swap.name == "SWAP"
    assert not swap.known


def test_an_unknown_value_adds_no_member() -> None:
    Direction("SWAP")
    assert [member.value for member in Direction] == ["BUY", "SELL"]


def test_matching_is_case_sensitive_as_the_wire_is() -> None:
    assert not Direction("buy").known


def test_values_compare_and_hash_as_their_wire_text() -> None:
    assert Direction.BUY == "BUY"
    assert Direction.BUY != Direction.SELL
    assert {Direction("SWAP"): 1}["SWAP"] == 1  # type: ignore[index]
    assert Direction.BUY != 1


def test_a_value_that_is_no_string_is_refused() -> None:
    with pytest.raises(ValueError, match="7"):
        Direction(7)


def test_values_survive_pickling() -> None:
    assert pickle.loads(pickle.dumps(Direction.SELL)) is Direction.SELL  # noqa: S301
    assert pickle.loads(pickle.dumps(Direction("SWAP"))) == "SWAP"  # noqa: S301

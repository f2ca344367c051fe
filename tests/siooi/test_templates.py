from __future__ import annotations

import pytest

from gridwire.siooi.templates import fill, holes


def test_holes_are_named_in_order() -> None:
    assert list(holes("/a/{x}/{session.sid}?{x}")) == ["x", "session.sid", "x"]
    assert list(holes("{{no}} hole")) == []


@pytest.mark.parametrize("wrong", ["{", "a}b", "{{}", "{a{b}"])
def test_a_single_brace_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="written twice"):
        list(holes(wrong))


def test_values_are_quoted_and_the_text_around_them_is_not() -> None:
    assert fill("/ä/{a}-{{x}}", {"a": "b c"}, lambda value: value.replace(" ", "%20")) == "/ä/b%20c-{x}"


def test_what_a_value_looks_like_does_not_matter() -> None:
    assert fill("{a}{b}", {"a": "{b}", "b": r"\1{{"}) == r"{b}\1{{"

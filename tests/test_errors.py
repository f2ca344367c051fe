"""The error tree: drawn as it is, and carrying what a handler needs."""

from __future__ import annotations

import re

import pytest

from gridwire import errors


def drawn() -> dict[str, str]:
    """Each error's parent according to the drawing in the module's docstring."""
    parents: dict[str, str] = {}
    branch = ["GridwireError"]
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"    ([│ ]*)[├└]── (\w+)", line):
            depth = len(match[1]) // 4 + 1
            branch[depth:] = [match[2]]
            parents[match[2]] = branch[depth - 1]
    return parents


def test_the_drawing_in_the_docstring_is_the_tree() -> None:
    real = {
        name: thing.__bases__[0].__name__
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, Exception) and thing.__module__ == errors.__name__
    }
    assert real.pop("GridwireError") == "Exception"
    assert real == drawn()


@pytest.mark.parametrize("kind", [errors.NotSent, errors.NoAnswer])
def test_a_transport_error_gives_programs_one_word(kind: type[errors.TransportError]) -> None:
    error = kind("The connection was refused. Nothing was sent.", reason="refused")
    assert error.reason == "refused"
    assert str(error) == "The connection was refused. Nothing was sent."


@pytest.mark.parametrize("kind", [errors.AuthThrottled, errors.LoginBudgetExceeded, errors.RateLimited])
def test_an_error_that_asks_for_a_pause_says_how_long(
    kind: type[errors.AuthThrottled | errors.LoginBudgetExceeded | errors.RateLimited],
) -> None:
    error = kind("Wait a minute before the next login.", retry_after_s=60.0)
    assert error.retry_after_s == 60.0
    assert "Wait a minute" in str(error)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [(errors.InvalidInput, ValueError), (errors.MissingExtra, ImportError), (errors.WrongLoop, RuntimeError)],
)
def test_errors_of_the_caller_are_also_the_builtin_ones(kind: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(kind, builtin)

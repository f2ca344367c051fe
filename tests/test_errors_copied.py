"""Every error of the tree survives `pickle`, `copy` and a process of its own with all its fields."""

from __future__ import annotations

import copy
import importlib
import inspect
import multiprocessing
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

import gridwire
from gridwire.epias_stp import errors as stp
from gridwire.errors import GridwireError, MissingExtra, NoAnswer, OrderRejected, OutcomeUnknown
from gridwire.intents.upload_records import Document, Obstacle, Upload
from gridwire.outcome import Intent, Outcome, Rejected, Unknown
from gridwire.siooi.enums import ResultCode
from gridwire.transport.amqp_failure import Condition
from gridwire.transport.xml.faults import Fault
from tests.acceptance.epias_stp.floor import BID, TODAY, floor

NOW = datetime(2026, 12, 1, tzinfo=UTC)
UPLOAD = Upload("U1", Document("v", "a", "F1", "o", "p", "a" * 64, "b" * 64, 3), "unknown", "run", NOW, NOW)
INTENT = Intent("epias_stp", "bid_save", "K", NOW, "mine", {"price": "1.00"})
VALUES: dict[str, Any] = {
    "text": "What happened. What to do.",
    "reason": "timeout",
    "retry_after_s": 60.0,
    "kind": "refused",
    "where": "profile.toml",
    "complaints": [("a.b", "is wrong")],
    "code": ResultCode.SESSION_EXPIRED,
    "raw_code": "17",
    "stage": "sasl",
    "cause": "outcome",
    "condition": Condition("amqp:not-found", "no queue"),
    "outcome": 3,
    "offered": ("PLAIN",),
    "scope": "link",
    "verify_code": 19,
    "line": 7,
    "faults": [Fault(3, 1, "/a/b", "SCHEMAV", "unknown element")],
    "obstacle": Obstacle(UPLOAD, "same_bytes"),
    "upload": UPLOAD,
    "state": "sending",
}
"""A value for each parameter of a constructor, by its name; one that is new needs one here."""


def everything() -> list[type[GridwireError]]:
    """All classes of the tree, in every module that there is."""
    for module in pkgutil.walk_packages(gridwire.__path__, "gridwire."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return sorted(set(below(GridwireError)), key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")


def below(kind: type[GridwireError]) -> Iterator[type[GridwireError]]:
    yield kind
    for one in kind.__subclasses__():
        if one.__module__.startswith("gridwire."):
            yield from below(one)


def value(kind: type[GridwireError], name: str) -> Any:
    if name == "facts":
        return stp.Facts("bid_save", "K", 200) if issubclass(kind, stp.StpError) else _edsn_facts()
    if name == "outcome" and kind in (OrderRejected, OutcomeUnknown):
        if kind is OrderRejected:
            return Rejected("guard", "No.", "guard", INTENT)
        return Unknown(INTENT, "timeout", "Perhaps.", ("what came",))
    return VALUES[name]


def _edsn_facts() -> Any:
    from gridwire.edsn_pie.errors import Facts, Problem

    return Facts("ticket", 404, "R", "C", "E", Problem(title="Gone", extensions={"errorCode": "E"}))


def made(kind: type[GridwireError]) -> GridwireError:
    """An error of that class with every field set."""
    arguments: list[Any] = []
    named: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(kind.__init__).parameters.items())[1:]:
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = value(kind, name)
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            arguments.append(value(kind, name))
    error = kind(*(arguments or [VALUES["text"]]), **named)
    error.add_note("seen by the tests")
    return error


def through_pickle(protocol: int) -> Callable[[GridwireError], GridwireError]:
    return lambda error: pickle.loads(pickle.dumps(error, protocol))  # noqa: S301


WAYS: dict[str, Callable[[GridwireError], GridwireError]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {number}": through_pickle(number) for number in range(2, pickle.HIGHEST_PROTOCOL + 1)},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", everything(), ids=lambda kind: kind.__name__)
def test_every_error_comes_back_as_it_was(kind: type[GridwireError], way: str) -> None:
    error = made(kind)
    again = WAYS[way](error)
    assert type(again) is kind
    assert (str(again), again.args) == (str(error), error.args)
    assert vars(again) == vars(error)
    assert vars(error)["__notes__"] == ["seen by the tests"]


def test_there_are_leaves_of_every_venue() -> None:
    homes = {kind.__module__.split(".")[1] for kind in everything()}
    assert {"errors", "auth", "edsn_pie", "epias_stp", "siooi", "transport", "intents"} <= homes


def test_an_error_of_ones_own_below_the_tree_does_too() -> None:
    error = Mine("Why.", depth=3)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (str(again), again.depth) == ("Why.", 3)


class Mine(NoAnswer):
    """A user's leaf, with an argument of its own."""

    def __init__(self, text: str, *, depth: int) -> None:
        super().__init__(text, reason="mine")
        self.depth = depth


def test_an_import_error_keeps_what_it_could_not_import() -> None:
    error = MissingExtra("Install it.", name="qpid", path="/x")
    again = copy.copy(error)
    assert (str(again), again.name, again.path) == ("Install it.", "qpid", "/x")


async def test_the_outcome_that_a_venue_answered_goes_with_its_error() -> None:
    async with floor() as f:
        f.venue.faults.add("result", operation="bid_save", result_type="BUSINESSERROR", result_code="X-1")
        refused = await f.stp.bids.save(TODAY, **BID)
        f.venue.faults.add("result", operation="bid_save", result_type="SYSTEMERROR", result_code="X-2")
        lost = await f.stp.bids.save(TODAY, **BID)
    for outcome, code in ((refused, "X-1"), (lost, "X-2")):
        again = pickle.loads(pickle.dumps(raised_by(outcome)))  # noqa: S301
        assert again.outcome == outcome
        raw = again.outcome.raw if isinstance(outcome, Rejected) else again.outcome.raw[0]
        assert raw.result_code == code


def raised_by(outcome: Outcome) -> GridwireError:
    with pytest.raises(GridwireError) as raised:
        outcome.accepted()
    return raised.value


def fail(_: int) -> None:
    raise NoAnswer("The order had left.", reason="timeout")


def test_a_pool_of_processes_hands_it_over_and_stays_alive() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for _ in range(2):
            with pytest.raises(NoAnswer, match="had left") as raised:
                pool.submit(fail, 0).result(60)
            assert raised.value.reason == "timeout"

"""A planted password, and every ticket bought with it, appear in no output: not in logs, texts, reprs or events."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from gridwire.epias_stp import EpiasStp
from gridwire.errors import GridwireError
from gridwire.observe.redact import guard_loggers
from gridwire.outcome import Outcome
from tests.acceptance.epias_stp.floor import BID, TODAY, Floor, floor
from tests.support.leak_scan import LeakScan
from tests.support.planted import MARK, PASSWORD, leaks

GUARDED = ("httpx", "httpcore.connection", "httpcore.http11", "websockets.client", "websockets.server")


@pytest.fixture
def unguarded() -> Iterator[None]:
    """The libraries' loggers as a program finds them that has not opened a client yet."""
    before = {name: list(logging.getLogger(name).filters) for name in GUARDED}
    for name in GUARDED:
        logging.getLogger(name).filters.clear()
    yield
    guard_loggers()
    assert {name: len(found) for name, found in before.items()} == {
        name: len(logging.getLogger(name).filters) for name in GUARDED
    }


def of_error(error: BaseException) -> str:
    """Everything an error can show, with what it was raised from."""
    said = "".join(traceback.format_exception(error))
    chain: BaseException | None = error
    while chain is not None:
        said += f"{chain!r} {chain} {chain.args} {getattr(chain, '__dict__', {})}"
        chain = chain.__cause__ or chain.__context__
    return said


def of_outcome(outcome: Outcome) -> str:
    """Everything an outcome can show."""
    said = (
        repr(outcome) + repr(outcome.intent) + repr(getattr(outcome, "raw", "")) + repr(getattr(outcome, "order", ""))
    )
    with contextlib.suppress(GridwireError):
        outcome.accepted()
        return said
    try:
        outcome.accepted()
    except GridwireError as error:
        said += of_error(error)
    return said


class Kept(dict[str, float]):
    """The broadcaster's tokens, none of which is forgotten once it was used."""

    def pop(self, key: str, default: Any = None) -> Any:
        return self.get(key, default)


async def troubled_session(f: Floor, stp: EpiasStp) -> list[str]:
    """Trade with everything going wrong that can, and collect whatever can be shown."""
    said: list[str] = []

    async def attempt(call: Any) -> None:
        try:
            result = await call
        except GridwireError as error:
            said.append(of_error(error))
        else:
            said.append(repr(result) if isinstance(result, list) else of_outcome(result))

    echoed = b'{"resultCode":"7","resultDescription":"ticket ST-9-abcdefghijklmnopqrst of TGT-9-abcdefghijklmnopqrst",'
    echoed += b'"resultType":"BUSINESSERROR"}'
    for kind, more in (
        ("drop_after_execute", {}),
        ("silence_before_execute", {}),
        ("half_answer", {}),
        ("html", {}),
        ("redirect", {"location": "https://x.invalid/?ticket=ST-9-abcdefghijklmnopqrst"}),
        ("status", {"status": 503}),
        ("wrong_types", {}),
        ("wrong_transaction_id", {"echo": "ST-9-abcdefghijklmnopqrst"}),
        ("result", {"result_type": "SECURITYERROR", "result_code": "SEC-0001"}),
        ("result", {"result_type": "SYSTEMERROR", "result_code": "TGT-9-abcdefghijklmnopqrst"}),
        ("raw", {"content": echoed, "content_type": "application/json"}),
        ("raw", {"content": b"ST-9-abcdefghijklmnopqrst", "content_type": "text/plain"}),
    ):
        for call in (lambda: stp.bids.save(TODAY, **BID), stp.contracts.standard):
            f.venue.faults.add(kind, times=None, **more)  # type: ignore[arg-type]
            await attempt(call())
            f.venue.faults.clear()
    f.venue.cas_faults.add("status", operation="service_ticket", status=429, retry_after="5")
    await attempt(stp.bids.save(TODAY, **BID))
    await asyncio.sleep(6)
    await attempt(stp.contracts.standard())
    stream = stp.broadcast()
    said += [repr(stream), repr(await anext(stream))]
    f.venue.broadcast.drop()
    said.append(repr(await anext(stream)))
    said.append(repr(vars(stp)) + repr(stp) + repr(stp.unknown()))
    said.append(repr(vars(stp._caller)) + repr(vars(stp._tickets)) + repr(stp._tickets.stats()))
    said.append(repr(f.account()) + str(f.account()) + repr(f.account().profile))
    return said


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize("wire", ["json", "xml"])
async def test_planted_secrets_appear_in_nothing_a_troubled_session_shows(
    wire: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    asyncio.get_running_loop().set_debug(True)
    with caplog.at_level(logging.DEBUG):
        async with floor(message_format=wire) as f:
            f.venue.broadcast._tokens = Kept()
            said = await troubled_session(f, f.stp)
            said += [repr(event) + event.text + repr(dict(event.fields)) for event in f.events]
            tickets = [*f.venue.cas._tgts, *f.venue.cas._sts]
            tokens = list(f.venue.broadcast._tokens)
    captured = capfd.readouterr()
    said += [captured.out, captured.err, caplog.text]
    said += [f"{record.msg!r} {record.args!r} {record.exc_text!r}" for record in caplog.records]
    assert len(tickets) > 20
    assert len(tokens) == 1
    assert "/cas/v1/tickets/TGT-***" in caplog.text, "the addresses were logged, and masked"
    for text in said:
        assert leaks(text) == []
        assert MARK not in text
        assert not [secret for secret in (*tickets, *tokens) if secret in text]


async def test_unhandled_errors_of_tasks_show_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    async with floor() as f:
        f.venue.cas_faults.add("raw", operation="login", status=500, content=PASSWORD.encode(), times=None)
        task = asyncio.create_task(f.stp.contracts.standard())
        await asyncio.wait([task])
        error = task.exception()
        assert isinstance(error, GridwireError)
        logging.getLogger("bot").error("the bot failed", exc_info=error)
    assert "the bot failed" in caplog.text
    assert leaks(caplog.text) == []


# ---------------------------------------------------------------------------------------------------------------------
# The scan of the whole suite


@pytest.mark.parametrize(
    "text",
    [
        f"password={PASSWORD}",
        "username=X&password=Gizli%26S%C3%B6z%2B%2541",
        '{"password": "Gizli&S\\u00f6z+%41"}',
        "<password>Gizli&amp;Söz</password>",
        "POST /cas/v1/tickets/TGT-12-" + "a" * 50 + "-cas01.sandbox",
        "stp-service-ticket: ST-3-" + "b" * 20 + "-cas01.sandbox",
        "Authorization: Bearer eyJ" + "a" * 20 + "." + "b" * 20 + "." + "c" * 20,
        "-----BEGIN PRIVATE KEY-----\\n" + "MII" + "d" * 60,
        "-----BEGIN RSA PRIVATE KEY-----\n" + "MII" + "d" * 60,
    ],
    ids=["plain", "form", "json", "xml", "tgt", "st", "jwt", "key", "pkcs1"],
)
def test_scan_finds_a_secret_in_any_captured_stream(text: str) -> None:
    for name in ("Captured stdout call", "Captured stderr teardown", "Captured log setup"):
        scan = LeakScan()
        scan.pytest_runtest_logreport(
            _report(sections=[("Captured log call", "nothing"), (name, f"before {text} after")])
        )
        session: Any = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
        scan.pytest_sessionfinish(session)
        assert len(scan.found) == 1
        assert scan.found[0].startswith(f"tests/x.py::test_x, {name}: ")
        assert session.exitstatus == pytest.ExitCode.TESTS_FAILED
        assert leaks(scan.found[0]) == [], "the finding itself does not repeat the secret"


def test_scan_finds_a_secret_in_a_failure() -> None:
    scan = LeakScan()
    scan.pytest_runtest_logreport(_report(longrepr=f"E  assert 'x' == {PASSWORD!r}"))
    assert scan.found


def test_scan_lets_masked_and_made_up_tickets_pass() -> None:
    scan = LeakScan()
    scan.pytest_runtest_logreport(_report(sections=[("Captured log call", "TGT-*** ST-*** TGT-1-abc ST-2-used")]))
    session: Any = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    scan.pytest_sessionfinish(session)
    assert scan.found == []
    assert session.exitstatus == pytest.ExitCode.OK


def test_scan_runs_in_this_session(request: pytest.FixtureRequest) -> None:
    assert isinstance(request.config.pluginmanager.get_plugin("leak_scan"), LeakScan)
    assert logging.getLogger().isEnabledFor(logging.DEBUG), "a log that is not captured cannot be searched"


def _report(sections: Any = (), longrepr: Any = None) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid="tests/x.py::test_x",
        location=("tests/x.py", 0, "test_x"),
        keywords={},
        outcome="failed" if longrepr else "passed",
        longrepr=longrepr,
        when="call",
        sections=sections,
    )

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

import pytest

from gridwire.auth.login_session import Kind, LoginSession, NoSession, login
from gridwire.errors import (
    AuthError,
    AuthProtocolError,
    AuthThrottled,
    AuthUnavailable,
    CredentialsRefused,
    NoAnswer,
    NotSent,
    WrongLoop,
)
from gridwire.transport.exchange import Flow, Request, Response, run_flow

REQUEST = Request("POST", "https://venue.example/login", content=b"secret")
Answer = Response | Exception


KINDS: dict[int, Kind] = {401: "refused", 423: "locked", 503: "unavailable"}


def read(response: Response) -> str | NoSession:
    if response.status == 200:
        return response.content.decode()
    return NoSession(KINDS.get(response.status, "unreadable"), f"HTTP {response.status}")


async def converse(answer: Answer) -> str:
    async def send(request: Request) -> Response:
        assert request is REQUEST
        if isinstance(answer, Exception):
            raise answer
        return answer

    return await run_flow(login(REQUEST, read, where="the venue"), send)


async def test_a_session_is_returned() -> None:
    assert await converse(Response(200, {}, b"s1")) == "s1"


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (NotSent("x", reason="dns"), AuthUnavailable, r"could not be reached for a login \(dns\)"),
        (NoAnswer("x", reason="timeout"), AuthUnavailable, "no whole answer"),
        (Response(503), AuthUnavailable, "Try again later"),
        (Response(401), CredentialsRefused, "login or password are wrong"),
        (Response(423), CredentialsRefused, "the account is locked"),
        (Response(302), AuthProtocolError, "does not log in again"),
    ],
)
async def test_what_came_instead(answer: Answer, error: type[AuthError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        await converse(answer)
    assert "No document left." in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "pause_s"),
    [
        ({}, 60),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "soon"}, 60),
        ({"retry-after": "9" * 12}, 86_400),
    ],
)
async def test_a_pause_that_is_asked_for(header: dict[str, str], pause_s: float) -> None:
    with pytest.raises(AuthThrottled) as caught:
        await converse(Response(429, header))
    assert caught.value.retry_after_s == pause_s


def session(answers: Callable[[int], Answer], delay_s: float = 1.0) -> LoginSession[str]:
    numbers = count()

    async def send(request: Request) -> Response:
        await asyncio.sleep(delay_s)
        answer = answers(next(numbers))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def flow() -> Flow[str]:
        return login(REQUEST, read, where="the venue")

    return LoginSession(flow, send, ttl_s=600.0, margin_s=60.0)


async def test_many_callers_make_one_login_and_age_makes_the_next() -> None:
    held = session(lambda n: Response(200, {}, b"s%d" % n))
    assert held.peek() is None
    assert await asyncio.gather(*(held.get() for _ in range(20))) == ["s0"] * 20
    assert (held.peek(), held.logins) == ("s0", 1)
    await asyncio.sleep(538)
    assert await held.get() == "s0"
    await asyncio.sleep(2)
    assert await held.get() == "s1"
    assert held.logins == 2


@pytest.mark.parametrize(("life_s", "used_s"), [(300.0, 240.0), (3600.0, 3540.0), (80.0, 40.0), (None, 540.0)])
async def test_the_life_that_a_login_tells_counts_instead_of_the_guess(life_s: float | None, used_s: float) -> None:
    held = session(lambda n: Response(200, {}, b"s%d" % n))
    held.life_s = lambda _: life_s
    await held.get()  # a second is over since it was asked for
    await asyncio.sleep(used_s - 2)
    assert await held.get() == "s0"
    await asyncio.sleep(2)
    assert await held.get() == "s1"


async def test_a_dead_session_is_renewed_once_by_whoever_saw_it() -> None:
    held = session(lambda n: Response(200, {}, b"s%d" % n))
    first = await held.get()
    held.invalidate(first)
    assert await held.get() == "s1"
    held.invalidate(first)  # somebody else's late news
    assert await held.get() == "s1"


@pytest.mark.parametrize(
    ("status", "error"), [(401, CredentialsRefused), (423, CredentialsRefused), (200_0, AuthProtocolError)]
)
async def test_a_refusal_is_for_good(status: int, error: type[AuthError]) -> None:
    held = session(lambda n: Response(status))
    found = await asyncio.gather(*(held.get() for _ in range(5)), return_exceptions=True)
    assert {type(one) for one in found} == {error}
    for _ in range(3):
        with pytest.raises(error):
            await held.get()
        await asyncio.sleep(10_000)
    assert held.logins == 1


async def test_a_refusal_in_the_air_is_not_followed_by_another_try() -> None:
    held = session(lambda n: Response(401))
    first = asyncio.ensure_future(held.get())
    await asyncio.sleep(0.5)
    held.invalidate("none")
    second = asyncio.ensure_future(held.get())
    found = await asyncio.gather(first, second, return_exceptions=True)
    assert {type(one) for one in found} == {CredentialsRefused}
    held._cache.reset()
    with pytest.raises(CredentialsRefused):
        await held._fetch()
    assert held.logins == 1


@pytest.mark.parametrize(
    "answer", [NotSent("x", reason="dns"), NoAnswer("x", reason="timeout"), Response(503), Response(429)]
)
async def test_what_says_nothing_about_the_credentials_may_be_tried_again(answer: Answer) -> None:
    held = session(lambda n: answer if n == 0 else Response(200, {}, b"s"))
    with pytest.raises(AuthError):
        await held.get()
    if isinstance(answer, Response) and answer.status == 429:
        await asyncio.sleep(60)
    assert await held.get() == "s"


async def test_a_closed_session_gives_none() -> None:
    held = session(lambda n: Response(200, {}, b"s"))
    waiting = asyncio.ensure_future(held.get())
    await asyncio.sleep(0)
    await held.aclose()
    with pytest.raises(WrongLoop):
        await waiting
    with pytest.raises(WrongLoop):
        await held.get()
    assert "secret" not in repr(held)


async def test_whatever_the_reading_stumbles_over_may_be_a_refusal() -> None:
    calls = list[Request]()

    async def send(request: Request) -> Response:
        calls.append(request)
        return Response(200)

    def stumbling(response: Response) -> str | NoSession:
        raise UnicodeError("undefined encoding")

    session = LoginSession(lambda: login(REQUEST, stumbling, where="the venue"), send, 60, 5)
    for _ in range(2):
        with pytest.raises(AuthProtocolError, match="reading it failed with UnicodeError"):
            await session.get()
    assert len(calls) == 1


async def test_a_pause_that_the_venue_wants_is_kept() -> None:
    answers = [Response(429, {"retry-after": "30"}), Response(200, {}, b"s1")]

    async def send(request: Request) -> Response:
        return answers.pop(0)

    session = LoginSession(lambda: login(REQUEST, read, where="the venue"), send, 60, 5)
    for waited_s in (0, 10):
        await asyncio.sleep(waited_s)
        with pytest.raises(AuthThrottled) as caught:
            await session.get()
        assert caught.value.retry_after_s == pytest.approx(30 - waited_s, abs=0.5)
    await asyncio.sleep(20)
    assert await session.get() == "s1"

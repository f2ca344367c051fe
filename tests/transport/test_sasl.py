"""The login, driven with plain values from both sides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gridwire.errors import InvalidInput
from gridwire.transport import sasl_frames
from gridwire.transport.amqp_failure import AmqpFailure
from gridwire.transport.sasl import (
    ClientExchange,
    Mechanism,
    ServerExchange,
    anonymous,
    external,
    oauthbearer,
    plain,
    xoauth2,
)
from gridwire.transport.sasl_frames import HEADER, BadFrame, Symbol


def play(client: ClientExchange, server: ServerExchange, code: int = 0, challenge: bytes | None = None) -> None:
    """Pass bytes to and fro, one at a time, until the client is done."""
    to_server, asked, ended = client.start(), False, False
    while not client.done:
        to_client = b""
        for byte in to_server:
            to_client += server.receive(bytes([byte]))
        if server.login is not None and not ended:
            if challenge is not None and not asked:
                to_client += server.challenge(challenge)
                asked = True
            elif challenge is None or server.answer is not None:
                to_client += server.finish(code)
                ended = True
        to_server = b""
        for byte in to_client:
            to_server += client.receive(bytes([byte]))


@pytest.mark.parametrize(
    "mechanism",
    [plain("u", "s"), xoauth2("u", "t"), oauthbearer("u", "t", host="h", port=1), external(), anonymous()],
    ids=lambda mechanism: mechanism.name,
)
def test_both_sides_understand_each_other_in_every_mechanism(mechanism: Mechanism) -> None:
    client, server = ClientExchange([mechanism], "broker"), ServerExchange([mechanism.name, "OTHER"])
    play(client, server)
    assert server.login is not None
    assert server.login.mechanism == mechanism.name
    assert server.login.response == mechanism.initial
    assert server.login.hostname == "broker"
    assert client.offered == (mechanism.name, "OTHER")
    assert client.rest == b""


def test_the_first_of_our_mechanisms_that_is_offered_is_taken() -> None:
    client, server = ClientExchange([external(), anonymous()], "h"), ServerExchange(["PLAIN", "ANONYMOUS"])
    play(client, server)
    assert server.login is not None
    assert server.login.mechanism == "ANONYMOUS"


@pytest.mark.parametrize(
    ("mechanism", "answer"), [(xoauth2("u", "t"), b""), (oauthbearer("u", "t", host="h", port=1), b"\x01")]
)
def test_a_refused_bearer_token_is_answered_so_that_the_outcome_follows(mechanism: Mechanism, answer: bytes) -> None:
    client, server = ClientExchange([mechanism], "h"), ServerExchange([mechanism.name])
    with pytest.raises(AmqpFailure, match="refused the credentials") as caught:
        play(client, server, code=1, challenge=b'{"status":"invalid_token"}')
    assert server.answer == answer
    assert (caught.value.stage, caught.value.cause, caught.value.outcome) == ("sasl", "outcome", 1)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 9])
def test_every_outcome_but_0_is_a_failure_that_names_it(code: int) -> None:
    with pytest.raises(AmqpFailure) as caught:
        play(ClientExchange([plain("u", "s3cret")], "h"), ServerExchange(["PLAIN"]), code=code)
    assert caught.value.outcome == code
    assert "s3cret" not in str(caught.value)


def test_one_mechanism_may_be_offered_as_a_single_symbol() -> None:
    client = ClientExchange([plain("u", "s")], "h")
    client.receive(HEADER + sasl_frames.frame(sasl_frames.MECHANISMS, [Symbol("PLAIN")]))
    assert client.offered == ("PLAIN",)


def test_nothing_offered_is_told_and_nothing_is_sent() -> None:
    client = ClientExchange([plain("u", "s")], "h")
    with pytest.raises(AmqpFailure, match="it offers no mechanism at all"):
        client.receive(HEADER + sasl_frames.frame(sasl_frames.MECHANISMS, [None]))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"AMQP\x00\x01\x00\x00", "without SASL"),
        (b"AMQP\x00\x00\x09\x01", "0-9-1"),
        (b"SSH-2.0-x", "something else"),
        (HEADER + sasl_frames.frame(sasl_frames.OUTCOME, ["yes"]), "out of its turn"),
        (HEADER + sasl_frames.frame(sasl_frames.CHALLENGE, [b""]), "out of its turn"),
        (HEADER + b"\xff" * 12, "no SASL frame"),
    ],
)
def test_what_is_no_login_is_garbage(data: bytes, words: str) -> None:
    with pytest.raises(AmqpFailure, match=words) as caught:
        ClientExchange([plain("u", "s")], "h").receive(data)
    assert caught.value.cause == "garbage"


def test_what_follows_the_outcome_is_kept() -> None:
    client = ClientExchange([plain("u", "s")], "h")
    client.receive(HEADER + sasl_frames.frame(sasl_frames.MECHANISMS, [[Symbol("PLAIN")]]))
    client.receive(sasl_frames.frame(sasl_frames.OUTCOME, [0]) + b"AMQP")
    assert client.done
    assert client.rest == b"AMQP"


def test_a_cut_before_and_after_a_large_login_is_told_apart() -> None:
    client = ClientExchange([plain("u", "s" * 600)], "h")
    assert "512" not in str(client.cut())
    client.receive(HEADER + sasl_frames.frame(sasl_frames.MECHANISMS, [[Symbol("PLAIN")]]))
    assert "AMQP 1.0 grants 512" in str(client.cut())


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1", b"AMQP\x00\x01\x00\x00", HEADER + sasl_frames.frame(sasl_frames.RESPONSE, [b""])]
)
def test_a_server_refuses_what_is_no_login(data: bytes) -> None:
    with pytest.raises(BadFrame):
        ServerExchange(["PLAIN"]).receive(data)


@pytest.mark.parametrize(
    ("make", "user", "secret"),
    [(plain, "a\0b", "s"), (plain, "a", "s\0"), (xoauth2, "a", "t\x01"), (xoauth2, "\x01", "t")],
)
def test_characters_that_would_end_a_field_are_refused(
    make: Callable[[str, str], Mechanism], user: str, secret: str
) -> None:
    with pytest.raises(InvalidInput, match="Nothing was sent"):
        make(user, secret)


def test_no_secret_is_in_a_repr() -> None:
    server = ServerExchange(["PLAIN"])
    play(ClientExchange([plain("user", "s3cret")], "h"), server)
    assert "s3cret" not in repr(plain("user", "s3cret")) + repr(server.login)


def test_what_is_offered_is_shown_on_one_line_and_not_without_end() -> None:
    exchange = ClientExchange([plain("user", "secret")], "host")
    offer = [Symbol("X\x1b[31m\n2026 CRITICAL"), Symbol("Y" * 150), *[Symbol("Z")] * 35]
    with pytest.raises(AmqpFailure) as caught:
        exchange.receive(HEADER + sasl_frames.frame(sasl_frames.MECHANISMS, [offer]))
    assert "it offers X [31m 2026 CRITICAL, YYY" in str(caught.value)
    assert str(caught.value).isprintable()
    assert "Y" * 40 in str(caught.value)
    assert "Y" * 41 not in str(caught.value)
    assert len(exchange.offered) == 30


@pytest.mark.parametrize("before", [b"", sasl_frames.frame(sasl_frames.CHALLENGE, [b"x"])])
def test_a_welcome_that_nobody_has_asked_for_is_no_login(before: bytes) -> None:
    client = ClientExchange([plain("u", "s")], "broker")
    with pytest.raises(AmqpFailure, match="out of its turn") as caught:
        client.receive(HEADER + before + sasl_frames.frame(sasl_frames.OUTCOME, [0]))
    assert caught.value.cause == "garbage"
    assert not client.done

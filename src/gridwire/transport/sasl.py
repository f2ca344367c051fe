"""AMQP's SASL exchange without I/O, for the side that logs in and for the side that checks.

It comes before the AMQP engine gets the connection, so it works the same with every build of the engine, sends a token
as each kind of broker wants it, and can say what was offered when nothing fits (AMQP 1.0, section 5.3; RFC 4616 for
PLAIN, RFC 7628 for OAUTHBEARER).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gridwire.errors import InvalidInput
from gridwire.observe.redact import one_line
from gridwire.transport import sasl_frames
from gridwire.transport.amqp_failure import AmqpFailure
from gridwire.transport.sasl_frames import AMQP_HEADER, HEADER, BadFrame, Symbol

SMALL_FRAME_BYTES = 512
"""What a peer that keeps to the letter of AMQP 1.0 accepts in a SASL frame; there is no way to negotiate more."""

MOST_OFFERED = 30

OUTCOMES = {
    1: "the broker refused the credentials",
    2: "the broker cannot check credentials now",
    3: "the broker cannot check credentials, and will not be able to without repair",
    4: "the broker cannot check credentials for the moment",
}


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One way to log in. ``initial`` holds the secret, so it stays out of ``repr``."""

    name: str
    initial: bytes | None = field(default=None, repr=False)
    on_challenge: bytes = field(default=b"", repr=False)
    """The answer to any challenge: a broker that refuses a bearer token sends its reasons as one, and an outcome after it."""


def plain(user: str, secret: str) -> Mechanism:
    """PLAIN: a user's name and a password or token."""
    if "\0" in user or "\0" in secret:
        raise InvalidInput("A user name or password for PLAIN cannot hold a NUL character. Nothing was sent.")
    return Mechanism("PLAIN", f"\0{user}\0{secret}".encode())


def xoauth2(user: str, token: str) -> Mechanism:
    """XOAUTH2: a bearer token as Google and Qpid write it."""
    return Mechanism("XOAUTH2", f"user={_bearer(user)}\x01auth=Bearer {_bearer(token)}\x01\x01".encode())


def oauthbearer(user: str, token: str, *, host: str, port: int) -> Mechanism:
    """OAUTHBEARER: a bearer token as RFC 7628 writes it."""
    name = _bearer(user).replace("=", "=3D").replace(",", "=2C")
    text = f"n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {_bearer(token)}\x01\x01"
    return Mechanism("OAUTHBEARER", text.encode(), b"\x01")


def external() -> Mechanism:
    """EXTERNAL: the client certificate of the TLS connection says who we are."""
    return Mechanism("EXTERNAL", b"")


def anonymous() -> Mechanism:
    """ANONYMOUS: nobody in particular."""
    return Mechanism("ANONYMOUS", b"")


def _bearer(text: str) -> str:
    if "\x01" in text:
        raise InvalidInput("A user name or token for SASL cannot hold the character 1. Nothing was sent.")
    return text


class ClientExchange:
    """Log in with the first of ``mechanisms`` that is offered.

    Give it what arrives with `receive` and send what that returns, until `done`; `rest` then begins the AMQP stream.
    Raises `AmqpFailure` of stage ``sasl`` when it fails.
    """

    def __init__(self, mechanisms: Sequence[Mechanism], hostname: str) -> None:
        self._mechanisms = mechanisms
        self._hostname = hostname
        self._chosen: Mechanism | None = None
        self._buffer = b""
        self._headed = False
        self.done: bool = False
        self.offered: tuple[str, ...] = ()
        self.init_bytes: int = 0
        """The size of the frame that carried the credentials; 0 before it was sent."""

    def start(self) -> bytes:
        """What to send first."""
        return HEADER

    @property
    def rest(self) -> bytes:
        """What arrived after the exchange."""
        return self._buffer

    @property
    def mechanism(self) -> str:
        """What was chosen; empty before."""
        return self._chosen.name if self._chosen is not None else ""

    def receive(self, data: bytes) -> bytes:
        """What to send in answer to ``data``."""
        self._buffer += data
        out = b""
        if not self._headed and not self._take_header():
            return out
        while not self.done:
            try:
                taken = sasl_frames.take(self._buffer)
            except BadFrame as error:
                raise self._failure(f"The login failed: {error}.", cause="garbage") from None
            if taken is None:
                return out
            descriptor, fields, self._buffer = taken
            out += self._answer(descriptor, fields)
        return out

    def _take_header(self) -> bool:
        start = self._buffer[:8]
        if not HEADER.startswith(start):
            hint = " It speaks AMQP without SASL." if start == AMQP_HEADER else ""
            if start[:5] == b"AMQP\x00" and start[5:8] == b"\x00\x09\x01":
                hint = " It speaks AMQP 0-9-1, not 1.0."
            hint = hint or " It is no AMQP broker, or has TLS at this port; check host, port and TLS."
            raise self._failure(f"The other side answered our SASL header with something else.{hint}", cause="garbage")
        if len(start) < 8:
            return False
        self._headed = True
        self._buffer = self._buffer[8:]
        return True

    def _answer(self, descriptor: int, fields: list[object]) -> bytes:
        first = fields[0] if fields else None
        if descriptor == sasl_frames.MECHANISMS and self._chosen is None:
            return self._choose(first)
        if descriptor == sasl_frames.CHALLENGE and self._chosen is not None:
            return sasl_frames.frame(sasl_frames.RESPONSE, [self._chosen.on_challenge])
        named = self._chosen is not None  # a yes to somebody who has not said who he is means nothing
        if descriptor == sasl_frames.OUTCOME and isinstance(first, int) and (named or first != 0):
            if first != 0:
                what = OUTCOMES.get(first, f"the broker ended the login with the unknown code {first}")
                used = self.mechanism or "no mechanism"
                raise self._failure(f"The login with {used} failed: {what}.", cause="outcome", outcome=first)
            self.done = True
            return b""
        raise self._failure("The broker sent a SASL frame out of its turn.", cause="garbage")

    def _choose(self, offered: object) -> bytes:
        names = [offered] if isinstance(offered, str) else offered if isinstance(offered, list) else []
        self.offered = tuple(one_line(str(name), 40) for name in names[:MOST_OFFERED])
        for mechanism in self._mechanisms:
            if mechanism.name in self.offered:
                self._chosen = mechanism
                init = [Symbol(mechanism.name), mechanism.initial, self._hostname]
                sent = sasl_frames.frame(sasl_frames.INIT, init)
                self.init_bytes = len(sent)
                return sent
        wanted = " or ".join(mechanism.name for mechanism in self._mechanisms)
        there = ", ".join(self.offered) or "no mechanism at all"
        raise self._failure(
            f"The broker does not offer {wanted}; it offers {there}. Nothing secret was sent.", cause="mechanism"
        )

    def _failure(self, text: str, *, cause: str, outcome: int | None = None) -> AmqpFailure:
        return AmqpFailure(text, stage="sasl", cause=cause, outcome=outcome, offered=self.offered)  # type: ignore[arg-type]

    def cut(self) -> AmqpFailure:
        """What it means that the connection ended now."""
        text = (
            "The broker ended the connection during the login. If that happens each time, it may expect TLS at this port, or "
            "speak something else."
        )
        if self.init_bytes > SMALL_FRAME_BYTES:
            text = (
                f"The broker ended the connection right after our login frame of {self.init_bytes} bytes. AMQP 1.0 grants "
                f"{SMALL_FRAME_BYTES}, and the token does not fit into that: ask the broker's operator to accept larger "
                "SASL frames, or to issue shorter tokens."
            )
        return self._failure(text, cause="eof")


@dataclass(frozen=True, slots=True)
class Login:
    """What a client sent to log in. ``response`` holds its secret."""

    mechanism: str
    response: bytes = field(default=b"", repr=False)
    hostname: str | None = None


class ServerExchange:
    """Let a client log in: `receive` what it sends until `login` is there, then `finish` with a code.

    Raises `BadFrame` for what is no SASL exchange.
    """

    def __init__(self, offered: Sequence[str]) -> None:
        self._offered = offered
        self._buffer = b""
        self._headed = False
        self._challenged = False
        self.login: Login | None = None
        self.answer: bytes | None = None
        """What the client answered to `challenge`."""

    @property
    def rest(self) -> bytes:
        """What arrived after the exchange."""
        return self._buffer

    def receive(self, data: bytes) -> bytes:
        """What to send in answer to ``data``."""
        self._buffer += data
        out = b""
        if not self._headed:
            if not HEADER.startswith(self._buffer[:8]):
                raise BadFrame("the client begins without a SASL header")
            if len(self._buffer) < 8:
                return out
            self._buffer = self._buffer[8:]
            self._headed = True
            out = HEADER + sasl_frames.frame(sasl_frames.MECHANISMS, [[Symbol(name) for name in self._offered]])
        waits = self.login is None or (self._challenged and self.answer is None)
        if waits and (taken := sasl_frames.take(self._buffer)) is not None:
            descriptor, fields, self._buffer = taken
            self._took(descriptor, fields)
        return out

    def _took(self, descriptor: int, fields: list[object]) -> None:
        if descriptor == sasl_frames.INIT and self.login is None:
            name, response, hostname = [*fields, None, None, None][:3]
            content = response if isinstance(response, bytes) else b""
            self.login = Login(str(name), content, str(hostname) if hostname is not None else None)
        elif descriptor == sasl_frames.RESPONSE and self.login is not None:
            self.answer = fields[0] if fields and isinstance(fields[0], bytes) else b""
        else:
            raise BadFrame("the client sent a SASL frame out of its turn")

    def challenge(self, content: bytes) -> bytes:
        """Ask the client something; its reply comes as `answer`."""
        self._challenged = True
        return sasl_frames.frame(sasl_frames.CHALLENGE, [content])

    def finish(self, code: int) -> bytes:
        """End the exchange with outcome ``code``; 0 lets the client in."""
        return sasl_frames.frame(sasl_frames.OUTCOME, [code])

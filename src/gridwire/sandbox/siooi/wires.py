"""What all three wires have in common: what was asked, what is said, and how bodies are taken apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from aiohttp import web

from gridwire.sandbox.faulty import Answer
from gridwire.sandbox.siooi.registry import TEXTS, Code, Job, Refused

Operation: TypeAlias = Literal["login", "send", "status", "logout"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, taken apart. Fields that an operation does not have are None."""

    operation: Operation
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    form: str | None = None
    content: bytes | None = field(default=None, repr=False)
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What the venue says. ``raw`` is a code of the wire's own that a fault put in place of the venue's."""

    code: Code = "OK"
    token: str | None = field(default=None, repr=False)
    job: Job | None = None
    now: float = 0.0
    raw: str | None = None
    status: int | None = None

    @property
    def text(self) -> str:
        """The explanation, in Russian."""
        return TEXTS[self.code] if self.raw is None else "Ошибка"


class Wire(Protocol):
    """One way to speak to the venue."""

    def operation(self, request: web.Request) -> Operation | None:
        """What is asked, from the head alone; None for an address nobody knows."""
        ...

    def read(self, operation: Operation, request: web.Request, body: bytes) -> Asked:
        """Take a request apart. Raises `Refused` with ``BAD_REQUEST`` where it cannot be."""
        ...

    def answer(self, operation: Operation, said: Said) -> Answer:
        """The answer's bytes."""
        ...


def parts(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of a ``multipart/form-data`` body by name (RFC 7578)."""
    _, _, boundary = content_type.partition("boundary=")
    if not boundary:
        raise Refused("BAD_REQUEST")
    found: dict[str, bytes] = {}
    for piece in body.split(b"--" + boundary.strip('"').encode())[1:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        _, _, name = head.decode("utf-8", "replace").partition('name="')
        found[name.partition('"')[0]] = content.removesuffix(b"\r\n")
    return found

"""The third wire: Basic authentication, a key in the address, documents as base64 in JSON, answers in plain Russian words.

No profile of it is shipped, here or anywhere: the documentation describes it as a letter from support would, and a profile
written from that has to do.
"""

from __future__ import annotations

import base64
import binascii
import json

from aiohttp import web

from gridwire.sandbox.faulty import Answer
from gridwire.sandbox.siooi.registry import SIGNED, Code, Job, Refused
from gridwire.sandbox.siooi.wires import Asked, Operation, Said

PREFIX = "/text"
CODES: dict[Code, int] = {
    "BAD_CREDENTIALS": 1, "ACCOUNT_LOCKED": 2, "SESSION_EXPIRED": 3, "NO_ROLE": 11, "NO_FORM_ACCESS": 12,
    "NO_OBJECT_ACCESS": 13, "UNKNOWN_FORM": 14, "BAD_XML": 15, "DUPLICATE": 16, "QUEUE_FULL": 21, "JOB_NOT_FOUND": 31,
    "BAD_REQUEST": 99,
}  # fmt: skip
STATES = {"QUEUED": "ожидает", "RUNNING": "обрабатывается", "SUCCEEDED": "загружено", "FAILED": "отклонено"}


class TextWire:
    """See the module."""

    def operation(self, request: web.Request) -> Operation | None:
        """By method and path."""
        path = request.path.removeprefix(PREFIX)
        if request.method == "GET" and path == "/enter":
            return "login"
        if request.method == "POST" and path == "/put":
            return "send"
        if request.method == "GET" and path.startswith("/jobs/") and path.endswith("/state"):
            return "status"
        return None

    def read(self, operation: Operation, request: web.Request, body: bytes) -> Asked:
        """Parameters of the address, and for an upload a JSON object."""
        if operation == "login":
            login, password = _basic(request.headers.get("Authorization", ""))
            return Asked("login", login=login, password=password)
        key = request.query.get("key")
        if operation == "status":
            return Asked("status", token=key, job_id=request.path.split("/")[-2])
        try:
            content = base64.b64decode(json.loads(body)["data"], validate=True)
        except (ValueError, KeyError, TypeError):
            raise Refused("BAD_REQUEST") from None
        return Asked("send", token=key, form=request.query.get("form"), content=content)

    def answer(self, operation: Operation, said: Said) -> Answer:
        """Lines of text in windows-1251."""
        if said.raw is not None or said.code != "OK":
            lines = [f"Отказ {said.raw or CODES[said.code]}: {said.text}"]
        elif operation == "login":
            lines = [f"Вход выполнен. Ключ: {said.token}"]
        elif operation == "send" and said.job is not None:
            lines = [f"Принято. Задание № {said.job.id}"]
        else:
            lines = _status(said.job, said.now) if said.job is not None else ["Готово"]
        status = said.status or (401 if operation == "login" and said.code != "OK" else 200)
        return Answer(status, "\n".join(lines).encode("windows-1251"), "text/plain; charset=windows-1251")


def _status(job: Job, now: float) -> list[str]:
    state = job.state(now)
    lines = [f"Состояние: {STATES[state]}"]
    if state == "SUCCEEDED":
        lines.append(f"Документ: {SIGNED}")
    if state == "FAILED":
        lines += [f"Строка {one.line}, {one.element}: [{one.code}] {one.text}" for one in job.problems]
    return lines


def _basic(header: str) -> tuple[str, str]:
    scheme, _, both = header.partition(" ")
    try:
        login, _, password = base64.b64decode(both, validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        raise Refused("BAD_REQUEST") from None
    if scheme != "Basic":
        raise Refused("BAD_REQUEST")
    return login, password

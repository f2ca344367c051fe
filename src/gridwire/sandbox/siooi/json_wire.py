"""The first wire: a session cookie, JSON answers, documents as multipart uploads."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from gridwire.sandbox.faulty import Answer
from gridwire.sandbox.siooi.registry import SIGNED, Code, Job, Refused
from gridwire.sandbox.siooi.wires import Asked, Operation, Said, parts

PREFIX = "/json"
COOKIE = "SIOOI_SESSION"
CODES: dict[Code, int] = {
    "OK": 0, "BAD_CREDENTIALS": 101, "ACCOUNT_LOCKED": 102, "SESSION_EXPIRED": 103, "NO_ROLE": 201, "NO_FORM_ACCESS": 202,
    "NO_OBJECT_ACCESS": 203, "UNKNOWN_FORM": 204, "BAD_XML": 205, "DUPLICATE": 206, "QUEUE_FULL": 301, "JOB_NOT_FOUND": 404,
    "BAD_REQUEST": 400,
}  # fmt: skip
STATES = {"QUEUED": "NEW", "RUNNING": "WORK", "SUCCEEDED": "DONE", "FAILED": "ERROR"}


class JsonWire:
    """See the module."""

    def operation(self, request: web.Request) -> Operation | None:
        """By method and path."""
        path = request.path.removeprefix(PREFIX)
        fixed: dict[tuple[str, str], Operation] = {
            ("POST", "/api/login"): "login",
            ("POST", "/api/documents"): "send",
            ("POST", "/api/logout"): "logout",
        }
        if request.method == "GET" and path.startswith("/api/jobs/"):
            return "status"
        return fixed.get((request.method, path))

    def read(self, operation: Operation, request: web.Request, body: bytes) -> Asked:
        """Fields of a JSON object, or parts of an upload."""
        token = request.cookies.get(COOKIE)
        if operation == "login":
            fields = _object(body)
            return Asked("login", login=str(fields.get("user", "")), password=str(fields.get("password", "")))
        if operation == "send":
            found = parts(request.headers.get("Content-Type", ""), body)
            if "formCode" not in found or "file" not in found:
                raise Refused("BAD_REQUEST")
            return Asked("send", token=token, form=found["formCode"].decode("utf-8", "replace"), content=found["file"])
        return Asked(operation, token=token, job_id=request.path.rpartition("/")[2])

    def answer(self, operation: Operation, said: Said) -> Answer:
        """HTTP 200 with ``code``, whatever it says; 202 for a document in the queue."""
        body: dict[str, Any] = {"code": said.raw or CODES[said.code], "message": said.text}
        headers: dict[str, str] = {}
        if said.token is not None:
            headers["Set-Cookie"] = f"{COOKIE}={said.token}; Path=/; HttpOnly"
        if said.job is not None and said.raw is None:
            body |= {"jobId": said.job.id} if operation == "send" else _status(said.job, said.now)
        status = said.status or (202 if operation == "send" and said.code == "OK" and said.raw is None else 200)
        content = json.dumps(body, ensure_ascii=False).encode()
        return Answer(status, content, "application/json; charset=utf-8", headers)


def _status(job: Job, now: float) -> dict[str, Any]:
    state = job.state(now)
    body: dict[str, Any] = {"jobId": job.id, "state": STATES[state]}
    if state == "SUCCEEDED":
        body["documentStatus"] = SIGNED
    if state == "FAILED":
        body["errors"] = [
            {"line": one.line, "element": one.element, "code": one.code, "text": one.text} for one in job.problems
        ]
    return body


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        raise Refused("BAD_REQUEST") from None
    if not isinstance(found, dict):
        raise Refused("BAD_REQUEST")
    return found

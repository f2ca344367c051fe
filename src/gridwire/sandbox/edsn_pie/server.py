"""The two HTTP ports: the identity provider's token endpoint, and the REST API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from aiohttp import web

from gridwire.sandbox.edsn_pie.board import Board
from gridwire.sandbox.edsn_pie.events import BASE
from gridwire.sandbox.edsn_pie.identity import API, Decision, Identity
from gridwire.sandbox.edsn_pie.log import CallLog, LoggedCall
from gridwire.sandbox.faults import Fault, Faults
from gridwire.sandbox.faulty import Answer, hang_up, page, respond

TOKEN_PATH = "/am/oauth2/access_token"  # noqa: S105 - a path
ISSUER_PATH = "/am/oauth2"
METADATA_PATH = ISSUER_PATH + "/.well-known/openid-configuration"
_PROBLEMS = "https://cmf.energysector.nl/reference-data/error-catalogue"


@dataclass(slots=True)
class RestKnobs:
    """How the REST API behaves, where nobody knows. All may be changed while it runs."""

    most_per_page: int = 100
    """A page holds no more, whatever ``_limit`` asks for."""
    list_form: Literal["items", "named", "hal", "bare"] = "items"
    """Where the records are: ``items``, ``comments``, HAL's ``_embedded``, or a bare array (which has no pages)."""
    repeat_cursor: bool = False
    """Whether every page names the same next page: a list without an end."""
    id_name: str = "id"
    """What the id is called; ``mRID`` in the style of CIM."""
    latency_s: float = 0.0


class TokenServer:
    """The handler of the identity provider's port."""

    def __init__(self, identity: Identity, log: CallLog) -> None:
        self.faults: Faults = Faults()
        self.publishes: bool = True
        """Whether the provider publishes metadata about itself."""
        self._identity = identity
        self._log = log

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if request.path == METADATA_PATH and self.publishes:
            return web.json_response(self._identity.metadata())
        if request.path != TOKEN_PATH:
            return web.Response(status=404, body=page(404, "Not found").body, content_type="text/html")
        if request.method != "POST":
            return web.Response(status=405)
        now = asyncio.get_running_loop().time()
        struck = self.faults.take("arrival", operation="token", user=None, path=request.path, now=now)
        if struck is not None:
            self._record(now, None, None, struck)
            return hang_up(request)
        form = _form(request, await request.read())
        client = dict(form or []).get("client_id")
        fault = self.faults.take("call", operation="token", user=client, path=request.path, now=now)
        if fault is not None and fault.before_execution:
            self._record(now, client, None, fault)

        def grant() -> Answer:
            decision = self._identity.grant(form, authorization="Authorization" in request.headers)
            self._record(now, client, decision, fault)
            return _json(decision.status, decision.body)

        return await respond(request, fault, grant)

    def _record(self, now: float, client: str | None, decision: Decision | None, fault: Fault | None) -> None:
        kind = None if fault is None else fault.kind
        if decision is None:
            self._log.append(LoggedCall(now, "token", client, None, path=TOKEN_PATH, fault=kind))
        else:
            self._log.append(
                LoggedCall(
                    now, "token", client, decision.status, decision.why, TOKEN_PATH, decision.token, decision.jti, fault=kind
                )
            )  # fmt: skip


class RestServer:
    """The handler of the API's port."""

    def __init__(self, identity: Identity, board: Board, log: CallLog, knobs: RestKnobs) -> None:
        self.faults: Faults = Faults()
        self._identity = identity
        self._board = board
        self._log = log
        self._knobs = knobs

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        now = asyncio.get_running_loop().time()
        raw_path = request.raw_path.partition("?")[0]
        operation, ids = _route(raw_path)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        claims = self._identity.check(token)
        client = claims["sub"] if isinstance(claims, Mapping) else None
        struck = self.faults.take("arrival", operation=operation, user=client, path=raw_path, now=now)
        if struck is not None:
            self._record(request, now, operation, client, None, struck)
            return hang_up(request)
        if self._knobs.latency_s:
            await asyncio.sleep(self._knobs.latency_s)
        fault = self.faults.take("call", operation=operation, user=client, path=raw_path, now=now)
        if fault is not None and fault.before_execution:
            self._record(request, now, operation, client, None, fault)

        def act() -> Answer:
            answer = self._answer(request, operation, ids, claims)
            self._record(request, now, operation, client, answer.status, fault)
            answer.headers["X-Request-ID"] = request.headers.get("X-Request-ID") or str(uuid4())
            if "X-Correlation-ID" in request.headers:
                answer.headers["X-Correlation-ID"] = request.headers["X-Correlation-ID"]
            return answer

        return await respond(request, fault, act)

    def _record(
        self,
        request: web.Request,
        now: float,
        operation: str,
        client: str | None,
        status: int | None,
        fault: Fault | None,
    ) -> None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self._log.append(
            LoggedCall(
                now,
                operation,
                client,
                status,
                path=request.raw_path,
                token=self._identity.number(token),
                request_id=request.headers.get("X-Request-ID"),
                correlation_id=request.headers.get("X-Correlation-ID"),
                fault=None if fault is None else fault.kind,
            )
        )

    def _answer(
        self, request: web.Request, operation: str, ids: tuple[str, ...], claims: Mapping[str, Any] | str
    ) -> Answer:
        if isinstance(claims, str):
            return _problem(401, "security", "unauthorized", "Unauthorized", claims)
        if not operation:
            return _problem(404, "client", "not-found", "Not Found", "There is nothing at this path")
        if request.method != "GET":
            return _problem(405, "client", "method-not-allowed", "Method Not Allowed", "Everything here is read only")
        if API not in claims["roles"]:
            return _problem(403, "security", "forbidden", "Forbidden", f"The role {API} is missing")
        ticket = self._board.tickets.get(ids[0])
        if ticket is None or ticket["organisation"] != claims["organisation"]:
            return _problem(404, "client", "not-found", "Not Found", f"There is no ticket {ids[0]}")
        if operation == "get_ticket":
            return _json(200, self._named(ticket))
        comments = self._board.comments[ids[0]]
        if operation == "list_comments":
            return self._page(request, comments)
        for comment in comments:
            if comment["id"] == ids[1]:
                return _json(200, self._named(comment))
        return _problem(404, "client", "not-found", "Not Found", f"There is no comment {ids[1]}")

    def _named(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record as it is sent: whose it is stays inside, the id has the name it goes by."""
        shown = {name: value for name, value in record.items() if name not in ("id", "organisation")}
        return {self._knobs.id_name: record["id"], **shown}

    def _page(self, request: web.Request, comments: list[dict[str, Any]]) -> Answer:
        knobs, query = self._knobs, request.query
        if not query.get("_limit", "1").isdigit() or not query.get("_cursor", "p0").startswith("p"):
            return _problem(422, "client", "invalid-parameter", "Unprocessable Content", "_limit or _cursor is invalid")
        if knobs.list_form == "bare":
            return _json(200, [self._named(comment) for comment in comments])
        size = max(1, min(int(query.get("_limit", "100")), knobs.most_per_page))
        start = int(query.get("_cursor", "p0")[1:] or 0)
        records = [self._named(comment) for comment in comments[start : start + size]]
        forms: dict[str, dict[str, Any]] = {
            "items": {"items": records},
            "named": {"comments": records},
            "hal": {"_embedded": {"comments": records}, "_links": {"self": {"href": request.path}}},
        }
        body = forms[knobs.list_form]
        if knobs.repeat_cursor:
            body["nextCursor"] = "p1"
        elif start + size < len(comments):
            body["nextCursor"] = f"p{start + size}"
        return _json(200, body)


def _route(raw_path: str) -> tuple[str, tuple[str, ...]]:
    """The operation at this path and its ids, each one whole segment; an empty name for none."""
    if not raw_path.startswith(BASE + "/"):
        return "", ()
    match [unquote(segment) for segment in raw_path.removeprefix(BASE + "/").split("/")]:
        case ["tickets", str(ticket)]:
            return "get_ticket", (ticket,)
        case ["tickets", str(ticket), "comments"]:
            return "list_comments", (ticket,)
        case ["tickets", str(ticket), "comments", str(comment)]:
            return "get_comment", (ticket, comment)
    return "", ()


def _form(request: web.Request, body: bytes) -> list[tuple[str, str]] | None:
    if request.content_type != "application/x-www-form-urlencoded":
        return None
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        return None


def _json(status: int, body: object) -> Answer:
    return Answer(status, json.dumps(body).encode(), "application/json;charset=UTF-8")


def _problem(status: int, category: str, kind: str, title: str, detail: str) -> Answer:
    said = {
        "type": f"{_PROBLEMS}/{category}/{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": f"urn:uuid:{uuid4()}",
        "errorCode": f"PIE-{status}",
    }
    return Answer(status, json.dumps(said).encode(), "application/problem+json")

"""The ticket service on the wire: ``/cas/v1/tickets`` and ``/cas/v1/tickets/{TGT}``.

Credentials and service names are read from the body and from nowhere else: a user name in the query string is not seen.
The body is a form, JSON or XML, the three content types that STP's document allows (overview, "Ticket Granting Ticket
Oluşturma"); another one is answered 415. The document shows the form alone, so the layout of the other two is ours: an
object with the form's fields, and elements of their names below any root. ``?format=`` (an EPİAŞ extension) chooses text,
JSON or XML for the answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from urllib.parse import parse_qs

from aiohttp import web

from gridwire import clock
from gridwire.sandbox.cas import Cas
from gridwire.sandbox.faults import Faults
from gridwire.sandbox.faulty import Answer, hang_up, respond
from gridwire.transport import xml

PATH = "/cas/v1"
_HTML = (
    "<!DOCTYPE html><html><head><title>201 Created</title></head><body><h1>TGT Created</h1>"
    '<form action="{location}" method="POST">Service:<input type="text" name="service" value="">'
    '<br><input type="submit" value="Submit"></form></body></html>'
)
_OPERATIONS = {"POST": "service_ticket", "GET": "tgt_status", "DELETE": "logout"}


class CasServer:
    """The handler of the ticket service's port."""

    def __init__(self, cas: Cas) -> None:
        self.cas = cas
        self.faults: Faults = Faults()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        tickets, _, tgt = request.path.removeprefix(PATH + "/").partition("/")
        if not request.path.startswith(PATH + "/") or tickets != "tickets" or "/" in tgt:
            return web.Response(status=404)
        operation = _OPERATIONS.get(request.method) if tgt else "login" if request.method == "POST" else None
        if operation is None:
            return web.Response(status=405)
        now = asyncio.get_running_loop().time()
        user = self.cas.owner(tgt)
        struck = self.faults.take("arrival", operation=operation, user=user, path=request.path, now=now)
        if struck is not None:
            return hang_up(request)
        form = _fields(request, await request.read())
        if operation == "login" and form is not None:
            user = form.get("username")
        fault = self.faults.take("call", operation=operation, user=user, path=request.path, now=now)
        act = self._act(operation, request, tgt, form, now)
        return await respond(request, fault, act)

    def _act(
        self, operation: str, request: web.Request, tgt: str, form: dict[str, str] | None, now: float
    ) -> Callable[[], Answer]:
        if operation == "login":
            return lambda: self._login(request, form, now)
        if operation == "service_ticket":
            return lambda: self._service_ticket(request, tgt, form, now)
        if operation == "tgt_status":
            return lambda: _text(200, tgt) if self.cas.tgt_alive(tgt, now) else _invalid(tgt)
        return lambda: self._logout(tgt, now)

    def _login(self, request: web.Request, form: dict[str, str] | None, now: float) -> Answer:
        if form is None:
            return _text(415, "Unsupported media type")
        if "username" not in form or "password" not in form:
            return _text(400, "Bad request: username and password are required")
        try:
            ticket = self.cas.login(form["username"], form["password"], now)
        except PermissionError:
            return _text(423, "Locked")
        if ticket is None:
            if self.cas.knobs.errors == "4.x":
                return _text(400, "error.authentication.credentials.bad")
            return _json(401, {"authentication_exceptions": ["FailedLoginException"]})
        location = f"{request.url.origin()}{PATH}/tickets/{ticket}"
        answer = self._ticket_answer(request, "tgt", ticket, location, self.cas.knobs.tgt_status)
        if answer.status == 201:
            answer.headers["Location"] = location
        return answer

    def _service_ticket(self, request: web.Request, tgt: str, form: dict[str, str] | None, now: float) -> Answer:
        if form is None:
            return _text(415, "Unsupported media type")
        if not form.get("service"):
            return _text(400, "Bad request: service is required")
        try:
            ticket = self.cas.service_ticket(tgt, form["service"], now)
        except ValueError:
            return _text(400, "Service is not registered")
        if ticket is None:
            return _invalid(tgt)
        return self._ticket_answer(request, "st", ticket, "", 200)

    def _logout(self, tgt: str, now: float) -> Answer:
        self.cas.logout(tgt, now)
        return _text(200, tgt)

    def _ticket_answer(self, request: web.Request, name: str, ticket: str, location: str, status: int) -> Answer:
        form = self.cas.knobs.body
        if form == "asked":
            form = request.query.get("format", "text")  # type: ignore[assignment]
        if form == "json":
            extra = {"created": clock.now().isoformat(timespec="milliseconds")} if name == "tgt" else {}
            return _json(status, {name: ticket, **extra})
        if form == "xml":
            return Answer(status, f"<{name}>{ticket}</{name}>".encode(), "application/xml;charset=UTF-8")
        if name == "tgt" and form == "html":
            return Answer(status, _HTML.format(location=location).encode(), "text/html;charset=UTF-8")
        if name == "tgt" and form == "location":
            return Answer(status, headers={"Location": location})
        return _text(status, ticket)


def _fields(request: web.Request, body: bytes) -> dict[str, str] | None:
    """The body's fields, none of a body that cannot be read; None for another media type."""
    read = _READERS.get(request.content_type)
    try:
        return None if read is None else read(body)
    except (ValueError, RecursionError, xml.XmlRefused):
        return {}


def _of_form(body: bytes) -> dict[str, str]:
    values = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: given[0] for name, given in values.items()}


def _of_json(body: bytes) -> dict[str, str]:
    value = json.loads(body)
    return {name: text for name, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}


def _of_xml(body: bytes) -> dict[str, str]:
    return {name: child.text or "" for name, child in xml.children(xml.parse(body))}


_READERS: dict[str, Callable[[bytes], dict[str, str]]] = {
    "application/x-www-form-urlencoded": _of_form,
    "application/json": _of_json,
    "application/xml": _of_xml,
}


def _text(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), "text/plain;charset=UTF-8")


def _json(status: int, value: dict[str, object]) -> Answer:
    return Answer(status, json.dumps(value).encode(), "application/json")


def _invalid(tgt: str) -> Answer:
    return _text(404, f"{tgt} could not be found or is considered invalid")

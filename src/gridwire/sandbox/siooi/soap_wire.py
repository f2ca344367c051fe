"""The second wire: SOAP 1.1 in windows-1251, one address for all operations, a token in a header."""

from __future__ import annotations

import base64
import binascii
from xml.sax.saxutils import escape

from aiohttp import web

from gridwire.errors import ProtocolError
from gridwire.sandbox.faulty import Answer
from gridwire.sandbox.siooi.registry import SIGNED, Code, Job, Refused
from gridwire.sandbox.siooi.wires import Asked, Operation, Said
from gridwire.transport import xml

PREFIX = "/soap"
NAMESPACE = "urn:gridwire:sandbox:siooi"
TOKEN_HEADER = "X-Auth-Token"  # noqa: S105 - a name
CODES: dict[Code, str] = {
    "OK": "OK", "BAD_CREDENTIALS": "AUTH-1", "ACCOUNT_LOCKED": "AUTH-2", "SESSION_EXPIRED": "AUTH-3", "NO_ROLE": "ACL-1",
    "NO_FORM_ACCESS": "ACL-2", "NO_OBJECT_ACCESS": "ACL-3", "UNKNOWN_FORM": "DOC-1", "BAD_XML": "DOC-2", "DUPLICATE": "DOC-3",
    "QUEUE_FULL": "SRV-1", "JOB_NOT_FOUND": "JOB-1", "BAD_REQUEST": "SRV-0",
}  # fmt: skip
STATES = {"QUEUED": "В очереди", "RUNNING": "Выполняется", "SUCCEEDED": "Выполнено", "FAILED": "Ошибка"}
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_ACTIONS: dict[str, Operation] = {
    "urn:Login": "login", "urn:SendDocument": "send", "urn:GetStatus": "status", "urn:Logout": "logout",
}  # fmt: skip
_RESULTS: dict[Operation, str] = {
    "login": "LoginResult", "send": "SendDocumentResult", "status": "GetStatusResult", "logout": "LogoutResult",
}  # fmt: skip


class SoapWire:
    """See the module."""

    def operation(self, request: web.Request) -> Operation | None:
        """By the SOAPAction."""
        if request.method != "POST" or request.path != PREFIX + "/service":
            return None
        return _ACTIONS.get(request.headers.get("SOAPAction", "").strip('"'))

    def read(self, operation: Operation, request: web.Request, body: bytes) -> Asked:
        """The fields of the element in the envelope's body."""
        try:
            root = xml.parse(body, max_bytes=64 * 1024 * 1024)
        except ProtocolError:
            raise Refused("BAD_REQUEST") from None
        fields = {name: element.text or "" for element in root.iter() for name in [xml.local_name(element)]}
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            content = base64.b64decode(fields["Content"], validate=True) if operation == "send" else None
        except (KeyError, binascii.Error):
            raise Refused("BAD_REQUEST") from None
        return Asked(
            operation,
            login=fields.get("Login"),
            password=fields.get("Password"),
            token=token if scheme == "Token" else None,
            form=fields.get("FormCode"),
            content=content,
            job_id=fields.get("JobId"),
        )

    def answer(self, operation: Operation, said: Said) -> Answer:
        """HTTP 200 and an envelope; letters in windows-1251."""
        inner = f"<r:Code>{escape(said.raw or CODES[said.code])}</r:Code><r:Text>{escape(said.text)}</r:Text>"
        if said.job is not None and said.raw is None:
            inner += f"<r:JobId>{said.job.id}</r:JobId>"
            inner += _status(said.job, said.now) if operation == "status" else ""
        name = _RESULTS[operation]
        whole = (
            f'<?xml version="1.0" encoding="windows-1251"?><s:Envelope xmlns:s="{_ENVELOPE}"><s:Body><r:{name} '
            f'xmlns:r="{NAMESPACE}">{inner}</r:{name}></s:Body></s:Envelope>'
        )
        headers = {TOKEN_HEADER: said.token} if said.token is not None else {}
        content = whole.encode("windows-1251", "xmlcharrefreplace")
        return Answer(said.status or 200, content, "text/xml; charset=windows-1251", headers)


def _status(job: Job, now: float) -> str:
    state = job.state(now)
    text = f"<r:State>{STATES[state]}</r:State>"
    if state == "SUCCEEDED":
        text += f"<r:DocumentStatus>{SIGNED}</r:DocumentStatus>"
    for one in job.problems if state == "FAILED" else ():
        text += (
            f'<r:Error line="{one.line}" code="{escape(one.code)}"><r:Element>{escape(one.element)}</r:Element><r:Message>'
            f"{escape(one.text)}</r:Message></r:Error>"
        )
    return text

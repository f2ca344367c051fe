"""The port of the simulated venue: three wires by the beginning of the path, one registry behind them."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass, replace

from aiohttp import web

from gridwire.sandbox.faults import Fault, Faults
from gridwire.sandbox.faulty import Answer, hang_up, page, respond
from gridwire.sandbox.siooi import forms, json_wire, soap_wire, text_wire
from gridwire.sandbox.siooi.log import CallLog, LoggedCall
from gridwire.sandbox.siooi.registry import Problem, Refused, Registry
from gridwire.sandbox.siooi.wires import Asked, Operation, Said, Wire
from gridwire.transport import xml

MOST_BYTES = 64 * 1024 * 1024
_OBJECT = re.compile(rb"<object>\s*([^<]{1,200}?)\s*</object>")
_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Examined:
    """A document as the venue sees it: whether it is one, about which object, and what is wrong with it."""

    sha256: str
    object_key: str | None
    problems: tuple[Problem, ...]


class SiooiServer:
    """The handler of the venue's port."""

    def __init__(self, registry: Registry, log: CallLog) -> None:
        self.faults: Faults = Faults()
        self.schemas: xml.Schemas | None = None
        """The forms' schemas; set when the venue opens."""
        self._registry = registry
        self._log = log
        self._wires: dict[str, Wire] = {
            json_wire.PREFIX: json_wire.JsonWire(),
            soap_wire.PREFIX: soap_wire.SoapWire(),
            text_wire.PREFIX: text_wire.TextWire(),
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        prefix = "/" + request.path.split("/")[1]
        wire = self._wires.get(prefix)
        operation = wire.operation(request) if wire is not None else None
        if wire is None or operation is None:
            return web.Response(status=404, body=page(404, "Not found").body, content_type="text/html")
        now = asyncio.get_running_loop().time()
        call = LoggedCall(now, operation, prefix.strip("/"))
        fault = self.faults.take("arrival", operation=operation, user=None, path=request.path, now=now)
        if fault is not None:
            self._log.append(replace(call, fault=fault.kind))
            return hang_up(request)
        body = await request.read()
        try:
            asked: Asked | Refused = wire.read(operation, request, body)
        except Refused as refused:
            asked = refused
        examined = None
        if isinstance(asked, Asked) and asked.content is not None:
            examined = await asyncio.to_thread(self._examine, asked.form or "", asked.content)
            call = replace(call, form=asked.form, sha256=examined.sha256)
        fault = self.faults.take("call", operation=operation, user=None, path=request.path, now=now)
        if fault is not None and fault.before_execution and fault.kind != "result":
            self._log.append(replace(call, fault=fault.kind))
        return await respond(request, fault, lambda: self._execute(wire, operation, asked, examined, fault, call))

    def _examine(self, form: str, content: bytes) -> Examined:
        sha256 = hashlib.sha256(content).hexdigest()
        found = _OBJECT.search(content[:_HEAD_BYTES])
        object_key = found[1].decode("utf-8", "replace") if found is not None else None
        try:
            known = self.schemas is not None and form in forms.SCHEMAS
            schema = self.schemas.get(form) if known and self.schemas is not None else None
            xml.inspect(content, schema=schema, max_bytes=MOST_BYTES)
        except xml.DocumentRefused as refused:
            if not refused.faults or any(fault.type == "ERR_NOT_WELL_FORMED" for fault in refused.faults):
                return Examined(sha256, None, ())
            problems = tuple(Problem(one.line or 0, one.path, one.type[:40], one.message) for one in refused.faults)
            return Examined(sha256, object_key, problems)
        return Examined(sha256, object_key, ())

    def _execute(
        self,
        wire: Wire,
        operation: Operation,
        asked: Asked | Refused,
        examined: Examined | None,
        fault: Fault | None,
        call: LoggedCall,
    ) -> Answer:
        now = call.at
        instead = fault if fault is not None and fault.kind == "result" else None
        try:
            if isinstance(asked, Refused):
                raise asked
            if instead is not None and not instead.executed:
                self._log.append(replace(call, fault=instead.kind, code=instead.result_code))
                return wire.answer(operation, Said(raw=instead.result_code, status=instead.status))
            said, call = self._do(asked, examined, call)
        except Refused as refused:
            said, call = Said(refused.code), replace(call, code=refused.code)
        self._log.append(replace(call, fault=fault.kind if fault is not None else None))
        if instead is not None:
            said = replace(said, raw=instead.result_code, status=instead.status)
        return wire.answer(operation, replace(said, now=now))

    def _do(self, asked: Asked, examined: Examined | None, call: LoggedCall) -> tuple[Said, LoggedCall]:
        now, registry = call.at, self._registry
        if asked.operation == "login":
            token = registry.login(asked.login or "", asked.password or "", now)
            return Said(token=token), replace(call, user=asked.login, code="OK", executed=True)
        if asked.operation == "logout":
            registry.logout(asked.token or "")
            return Said(), replace(call, code="OK", executed=True)
        user = registry.user(asked.token, now)
        call = replace(call, user=user.name)
        if asked.operation == "status":
            job = registry.job(user, asked.job_id or "", now)
            return Said(job=job), replace(call, code="OK", executed=True, job_id=job.id)
        if examined is None:
            raise Refused("BAD_REQUEST")
        registry.admit(user, asked.form or "", examined.object_key, examined.sha256, now)
        job = registry.queue(user, asked.form or "", examined.object_key or "", examined.sha256, examined.problems, now)
        return Said(job=job), replace(call, code="OK", executed=True, job_id=job.id)

"""The profiles of the first two wires, as a user would have written them from a letter."""

from __future__ import annotations

from typing import Any

from gridwire.sandbox.siooi import json_wire, soap_wire
from gridwire.sandbox.siooi.registry import Code

_REFUSALS: tuple[Code, ...] = (
    "NO_ROLE", "NO_FORM_ACCESS", "NO_OBJECT_ACCESS", "UNKNOWN_FORM", "BAD_XML", "DUPLICATE", "QUEUE_FULL", "SESSION_EXPIRED",
)  # fmt: skip
_NOTE = "The gridwire sandbox; not the wire of any real installation."


def simulator(origin: str) -> dict[str, Any]:
    """Cookie, JSON, multipart."""
    codes = json_wire.CODES
    return {
        "name": "simulator",
        "source_note": _NOTE,
        "base_url": origin + json_wire.PREFIX,
        "session_ttl_s": 600,
        "relogin_margin_s": 60,
        "login": {
            "path": "/api/login",
            "body": "json",
            "fields": {"user": "{login}", "password": "{password}"},
            "result_code": {"json": "/code"},
            "result_text": {"json": "/message"},
            "accepted_when": [{"status": 200, "code": "0"}],
            "refused_when": [{"code": "101"}],
        },
        "session": [
            {"name": "sid", "extract": {"cookie": json_wire.COOKIE}, "inject": {"cookie": json_wire.COOKIE}},
        ],
        "send": {
            "path": "/api/documents",
            "body": "multipart",
            "fields": {"formCode": "{form_code}"},
            "file": {"field": "file", "name": "{form_code}.xml"},
            "result_code": {"json": "/code"},
            "result_text": {"json": "/message"},
            "job_id": {"json": "/jobId"},
            "queued_when": [{"status": 202, "code": "0"}],
            "refused_when": [{"status": 200, "code": [str(codes[name]) for name in _REFUSALS]}],
        },
        "status": {
            "path": "/api/jobs/{job_id}",
            "result_code": {"json": "/code"},
            "result_text": {"json": "/message"},
            "state": {"json": "/state"},
            "document_status": {"json": "/documentStatus"},
            "errors": {
                "json": "/errors", "line": "/line", "element": "/element", "code": "/code", "message": "/text",
            },
        },
        "logout": {"path": "/api/logout"},
        "result_codes": {str(code): name for name, code in codes.items() if name != "BAD_REQUEST"},
        "job_states": {raw: state for state, raw in json_wire.STATES.items()},
    }  # fmt: skip


def simulator_soap(origin: str) -> dict[str, Any]:
    """SOAP in windows-1251, a token in a header."""
    codes, space = soap_wire.CODES, {"r": soap_wire.NAMESPACE}

    def shape(root: str) -> dict[str, str]:
        return {"root": root, "namespace": soap_wire.NAMESPACE, "action": f"urn:{root}"}

    def at(name: str) -> dict[str, Any]:
        return {"xpath": f"//r:{name}", "namespaces": space}

    said = {"path": "/service", "body": "soap", "result_code": at("Code"), "result_text": at("Text")}
    return {
        "name": "simulator-soap",
        "source_note": _NOTE,
        "base_url": origin + soap_wire.PREFIX,
        "charset": "windows-1251",
        "login": {**said, "shape": shape("Login"), "fields": {"Login": "{login}", "Password": "{password}"}},
        "session": [
            {
                "name": "token",
                "extract": {"header": soap_wire.TOKEN_HEADER},
                "inject": {"header": "Authorization", "template": "Token {v}"},
            },
        ],
        "send": {
            **said,
            "shape": shape("SendDocument"),
            "fields": {"FormCode": "{form_code}"},
            "file": {"field": "Content"},
            "job_id": at("JobId"),
            "queued_when": [{"status": 200, "code": "OK"}],
            "refused_when": [{"code": [codes[name] for name in _REFUSALS]}],
        },
        "status": {
            **said,
            "method": "POST",
            "shape": shape("GetStatus"),
            "fields": {"JobId": "{job_id}"},
            "state": at("State"),
            "document_status": at("DocumentStatus"),
            "errors": {
                "xpath": "//r:Error", "namespaces": space, "line": "@line", "code": "@code", "element": "r:Element",
                "message": "r:Message",
            },
        },
        "logout": {"path": "/service", "body": "soap", "shape": shape("Logout")},
        "result_codes": {code: name for name, code in codes.items() if name != "BAD_REQUEST"},
        "job_states": {raw: state for state, raw in soap_wire.STATES.items()},
    }  # fmt: skip

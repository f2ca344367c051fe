"""A bare STP client for these tests: httpx, dicts and the OpenAPI file; nothing of gridwire's own clients."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Literal
from uuid import uuid4

import httpx

from gridwire.epias_stp.profile import Account
from gridwire.sandbox import Sandbox
from gridwire.sandbox.epias_stp import EpiasStpVenue
from tests.support import openapi

Wire = Literal["json", "xml"]


def envelope(body: Any = None, **changes: Any) -> dict[str, Any]:
    pairs = [{"key": "transactionId", "value": str(uuid4())}, {"key": "application", "value": "tests"}]
    return {"headers": pairs, "body": {} if body is None else body, **changes}


def dumps(value: Any) -> bytes:
    """JSON with Decimal as a number; the tests' prices have no digits a float could not carry."""
    return json.dumps(value, default=float).encode()


class Caller:
    """One user. ``call`` takes a new ticket, sends, and returns the checked answer as a JSON value."""

    def __init__(self, account: Account, http: httpx.AsyncClient) -> None:
        self.account = account
        self.http = http
        self.profile = account.profile
        self._tgt: str | None = None

    async def ticket(self, service: str | None = None) -> str:
        if self._tgt is None:
            credentials = {"username": self.account.username, "password": self.account.password.get_secret_value()}
            answer = await self.http.post(f"{self.profile.cas_url}/tickets", data=credentials)
            assert answer.status_code == 201
            self._tgt = answer.text
        url = f"{self.profile.cas_url}/tickets/{self._tgt}"
        answer = await self.http.post(url, data={"service": service or self.profile.service})
        assert answer.status_code == 200
        return answer.text

    async def send(
        self, operation: str, content: bytes, wire: Wire = "json", *, ticket: str | None = None, **headers: str
    ) -> httpx.Response:
        """Send bytes as they are."""
        media_type = f"application/{wire}"
        sent = {
            "stp-service-ticket": ticket if ticket is not None else await self.ticket(),
            "Content-Type": media_type,
            "Accept": media_type,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        base = self.profile.stp_url + self.profile.engine_path
        return await self.http.post(base + openapi.stp().paths[operation], content=content, headers=sent)

    async def call(self, operation: str, body: Any = None, wire: Wire = "json", **headers: str) -> dict[str, Any]:
        """Call an operation; request and answer are checked against the OpenAPI file."""
        api = openapi.stp()
        value = envelope(body)
        api.check(operation, "request", value)
        content = dumps(value) if wire == "json" else api.to_xml(operation, "request", value)
        answer = await self.send(operation, content, wire, **headers)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(f"application/{wire}")
        result: dict[str, Any] = api.read(operation, "response", answer.content)
        assert result["transactionId"] == value["headers"][0]["value"]
        return result

    async def ok(self, operation: str, body: Any = None, wire: Wire = "json") -> Any:
        """The body of a success."""
        answer = await self.call(operation, body, wire)
        assert answer["resultType"] == "SUCCESS", answer
        return answer["body"]

    async def bid(self, contract: str, direction: str, price: str, quantity: int, **more: Any) -> str:
        """Save an ACTIVE resting bid; returns its id."""
        body = {
            "contractName": contract,
            "price": Decimal(price),
            "quantity": quantity,
            "bidType": "STANDART_MATCH",
            "bidStatus": "ACTIVE",
            "direction": direction,
            **more,
        }
        saved = await self.ok("bid_save", body)
        return str(saved["bidResponse"]["id"])


class Floor:
    """A running venue and one caller per user."""

    def __init__(self, box: Sandbox, http: httpx.AsyncClient) -> None:
        self.box = box
        self.venue: EpiasStpVenue = box.venue("epias_stp")
        self.http = http
        self.one = Caller(self.venue.account("TRADER1"), http)
        self.two = Caller(self.venue.account("TRADER2"), http)
        self.operator = Caller(self.venue.account("OPERATOR1"), http)


@asynccontextmanager
async def floor() -> AsyncIterator[Floor]:
    async with Sandbox("epias_stp") as box, httpx.AsyncClient(trust_env=False) as http:
        yield Floor(box, http)

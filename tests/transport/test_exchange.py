"""transport/exchange.py: flows run over any sender, and secrets stay out of repr."""

from __future__ import annotations

import pytest

from gridwire.errors import NoAnswer, NotSent
from gridwire.transport.exchange import Flow, Request, Response, run_flow


def _twice() -> Flow[str]:
    first = yield Request("GET", "http://a")
    try:
        second = yield Request("GET", f"http://b/{first.status}")
    except NotSent:
        second = yield Request("GET", "http://c")
    return f"{first.content.decode()}{second.content.decode()}"


async def test_flow_gets_each_answer_and_returns_its_value() -> None:
    seen: list[str] = []

    async def send(request: Request) -> Response:
        seen.append(request.url)
        return Response(200, {}, str(len(seen)).encode())

    assert await run_flow(_twice(), send) == "12"
    assert seen == ["http://a", "http://b/200"]


async def test_flow_may_handle_a_transport_error() -> None:
    async def send(request: Request) -> Response:
        if request.url.startswith("http://b"):
            raise NotSent("refused", reason="refused")
        return Response(200, {}, request.url[-1].encode())

    assert await run_flow(_twice(), send) == "ac"


async def test_unhandled_transport_error_reaches_the_caller() -> None:
    async def send(request: Request) -> Response:
        raise NoAnswer("gone", reason="disconnected")

    with pytest.raises(NoAnswer):
        await run_flow(_twice(), send)


def test_repr_shows_no_url_header_or_body() -> None:
    secret = "TGT-1-secret"
    shown = repr(Request("POST", f"http://x/{secret}", {"a": secret}, secret.encode())) + repr(
        Response(200, {"location": secret}, secret.encode())
    )
    assert secret not in shown


def test_media_type_is_bare_and_lower_case() -> None:
    assert Response(200, {"content-type": "Application/JSON; charset=utf-8"}).media_type == "application/json"
    assert Response(200).media_type == ""

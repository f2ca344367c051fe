"""A look at what waits in the queue, without taking any of it.

The messages are asked for like any others and given back as *released* (AMQP 1.0, section 3.4.4), which a broker does not
count as a failed delivery. While the look lasts, no other reader is given them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from pydantic import SecretStr

from gridwire import clock
from gridwire.edsn_pie.link import CLOSE_S, TokenSource, broker_of, log_in, without
from gridwire.edsn_pie.link_advice import error_of
from gridwire.edsn_pie.profile import AmqpSettings
from gridwire.edsn_pie.reconnect import Action, action_on, unreached
from gridwire.transport.amqp import Delivery, Settled, Undecodable
from gridwire.transport.amqp_client import AmqpClient
from gridwire.transport.amqp_failure import AmqpFailure
from gridwire.transport.amqp_message import AmqpMessage
from gridwire.transport.tls import Network


async def look(
    settings: AmqpSettings,
    user: str,
    network: Network,
    tokens: TokenSource,
    *,
    most: int,
    quiet_s: float,
    lost: Callable[[AmqpMessage], None],
) -> list[AmqpMessage]:
    """Up to ``most`` messages of the queue, in its order. Ends once none has come for ``quiet_s`` seconds.

    ``lost`` is told of each that the broker had settled when it sent it, which cannot be given back. Raises what ends a
    stream: `EdsnAuthError`, `EdsnLinkError`, `EdsnTlsError`, `EdsnConfigError`.
    """
    for again in (True, False):
        token = SecretStr(await tokens.get())
        try:
            return await _look(settings, user, network, token, most, quiet_s, lost)
        except AmqpFailure as error:
            failure = without(error, token)
        action = action_on(failure)
        if not (again and action is Action.NEW_LOGIN):
            break
        tokens.refused(token.get_secret_value())
    if action is Action.PAUSE and unreached(failure):
        action = Action.STOP_PLACE
    raise error_of(failure, action, settings, token, clock.now())


async def _look(
    settings: AmqpSettings,
    user: str,
    network: Network,
    token: SecretStr,
    most: int,
    quiet_s: float,
    lost: Callable[[AmqpMessage], None],
) -> list[AmqpMessage]:
    client = await log_in(settings, broker_of(settings), user, network, token)
    came: list[tuple[Delivery, bytes]] = []
    news = asyncio.Event()

    def take(delivery: Delivery, data: bytes) -> None:
        came.append((delivery, data))
        news.set()

    try:
        name, capabilities = f"gridwire-peek-{uuid4()}", settings.source_capabilities
        link = await client.attach(settings.address, name=name, capabilities=capabilities, taker=take)
        client.ask(link, most)
        await _until_quiet(client, news, quiet_s, lambda: len(came) >= most)
        link.stop()
    finally:
        for delivery, _ in came:
            delivery.settle(Settled.RELEASED)
        client.flush()
        await client.close(CLOSE_S)
    found = [(delivery, _read(client, data)) for delivery, data in came]
    for delivery, message in found:
        if delivery.presettled:
            lost(message)
    return [message for _, message in found]


async def _until_quiet(client: AmqpClient, news: asyncio.Event, quiet_s: float, enough: Callable[[], bool]) -> None:
    while not enough():
        news.clear()
        waiting = asyncio.ensure_future(news.wait())
        try:
            either: set[asyncio.Future[Any]] = {waiting, client.ended}
            await asyncio.wait(either, timeout=quiet_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if client.ended.done():
            raise client.ended.result() or AmqpFailure("The connection was closed by us.", stage="stream", cause="eof")
        if not news.is_set():
            return


def _read(client: AmqpClient, data: bytes) -> AmqpMessage:
    try:
        return client.decode(data)
    except Undecodable:
        return AmqpMessage(body=bytes(data))

"""One client's connection to the broker: its login, its token's life, its links, and the fault it was given."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gridwire import clock
from gridwire.sandbox.edsn_pie.broker_faults import BrokerFault
from gridwire.sandbox.edsn_pie.broker_login import Contact, credentials
from gridwire.sandbox.edsn_pie.queues import MessageQueue, Stored
from gridwire.transport import amqp
from gridwire.transport.amqp import Delivery, Link
from gridwire.transport.amqp_failure import Condition
from gridwire.transport.amqp_message import AmqpMessage
from gridwire.transport.amqp_wire import AmqpWire, Exchange
from gridwire.transport.sasl import SMALL_FRAME_BYTES, ServerExchange

if TYPE_CHECKING:
    from gridwire.sandbox.edsn_pie.broker import AmqpBroker

UNAUTHORIZED = "amqp:unauthorized-access"
CBS = "$cbs"


class BrokerConnection:
    """See the module. Made by `AmqpBroker` for each connection that is accepted."""

    def __init__(self, broker: AmqpBroker, fault: BrokerFault | None) -> None:
        self._broker = broker
        self._fault = fault
        self._fault_waits = fault is not None
        self._exchange = ServerExchange(broker.knobs.mechanisms)
        self._engine = amqp.Engine(
            self, server=True, container_id="gridwire-sandbox", idle_timeout_s=broker.knobs.idle_timeout_s
        )
        first = fault.content if fault is not None and fault.kind == "no_header" else b""
        self.wire: AmqpWire = AmqpWire(self, self._engine, self._exchange, first=first)
        self.contact: Contact | None = None
        self._claims: Mapping[str, Any] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._out: dict[Delivery, tuple[MessageQueue, Stored]] = {}
        self._cbs_replies: Link | None = None
        self._delivered = 0
        self._silent = False
        self._not_before = 0.0

    # the login

    def logging_in(self, exchange: Exchange) -> None:
        """The client has sent something."""
        login, fault = self._exchange.login, self._fault
        if login is None or (fault is not None and fault.kind == "sasl_silence"):
            return
        if fault is not None and fault.kind == "small_frames" and len(login.response) > SMALL_FRAME_BYTES:
            self.wire.abort()
            return
        if self.contact is None:
            user, token = credentials(login)
            claims, why = self._broker.admit(login.mechanism, token)
            code = fault.code if fault is not None and fault.kind == "sasl_outcome" else 0 if why is None else 1
            self.contact = Contact(login.mechanism, user, code, why, claims, len(login.response))
            self._broker.contacts.append(self.contact)
            if code == 1 and login.mechanism in ("XOAUTH2", "OAUTHBEARER"):
                self.wire.write(self._exchange.challenge(b'{"status":"invalid_token"}'))
                return
            self._conclude(code, claims)
        elif self._exchange.answer is not None:
            self._conclude(self.contact.outcome, self.contact.claims)

    def _conclude(self, code: int, claims: Mapping[str, Any] | None) -> None:
        self.wire.write(self._exchange.finish(code))
        if code != 0:
            if self.wire.transport is not None:
                self.wire.transport.close()
            return
        self._authorise(claims)
        self.wire.start_engine()

    def _authorise(self, claims: Mapping[str, Any] | None) -> None:
        self._claims = claims
        if self._expiry is not None:
            self._expiry.cancel()
        if claims is not None and "exp" in claims and self._broker.knobs.closes_at_expiry:
            left_s = max(0.0, float(claims["exp"]) - clock.now().timestamp())
            self._expiry = asyncio.get_running_loop().call_later(left_s, self._expired)

    def _expired(self) -> None:
        self.end(Condition(UNAUTHORIZED, "the token has expired"))

    def login_failed(self, error: Exception) -> None:
        """The client speaks something else."""
        self.wire.abort()

    # what we do

    def end(self, condition: Condition, scope: str = "connection", link: Link | None = None) -> None:
        """End the connection, the session or a link with a reason."""
        if scope == "session":
            self._engine.end_session(condition)
        elif scope == "link" and link is not None:
            link.close(condition)
        else:
            self._engine.close(condition)
        self.wire.flush()

    def wants(self, link: Link) -> bool:
        """Whether a message may be sent over ``link`` now."""
        return (
            not self._silent
            and not self._engine.over
            and link.credit > 0
            and asyncio.get_running_loop().time() >= self._not_before
        )

    def deliver(self, link: Link, queue: MessageQueue, stored: Stored) -> None:
        """Send one message; `wants` has said yes."""
        self._delivered += 1
        delivery = link.send(stored.wire(), f"{self._delivered}")
        self._out[delivery] = queue, stored
        self.wire.flush()
        if self._fault_waits and self._fault is not None and self._delivered >= self._fault.after:
            if self._fault.kind == "slow":
                self._slow(self._fault.seconds, queue)
            else:
                self._strike(self._fault, link)

    def _slow(self, seconds: float, queue: MessageQueue) -> None:
        loop = asyncio.get_running_loop()
        self._not_before = loop.time() + seconds
        loop.call_later(seconds, queue.pump)

    def _strike(self, fault: BrokerFault, link: Link) -> None:
        if fault.kind not in ("close", "drop", "half_frame", "garbage", "huge_frame", "silence"):
            return
        self._fault_waits = False
        self.wire.flush_now()
        raw = {"half_frame": b"\x00\x00\x01\x00\x02\x00", "garbage": b"\x00\x00\x00\x02\xff", "drop": b""}
        if fault.kind == "close":
            self.end(Condition(fault.condition, fault.description), fault.scope, link)
        elif fault.kind == "silence":
            self._silent = True
            self.wire.silence()
        elif fault.kind == "huge_frame":
            self.wire.write(b"\x7f\xff\xff\xff\x02\x00\x00\x00")
        else:
            self.wire.write(raw[fault.kind])
            if fault.kind != "garbage" and self.wire.transport is not None:
                self.wire.transport.close()

    # what the client did

    def opened(self) -> None:
        """The client opens: so do we."""
        self._engine.open()
        self.wire.retime()

    def attached(self, link: Link) -> None:
        """The client wants a link."""
        if link.opened:
            return
        source, target = link.peer_source, link.peer_target
        if CBS in (source, target):
            link.open(source=source or "cbs", target=target or "cbs")
            if link.receives:
                link.flow(10)
            else:
                self._cbs_replies = link
        elif link.receives or source is None:
            self._refuse(link, Condition("amqp:not-allowed", "this broker takes no messages"), "link")
        else:
            self._attach(link, source)
        self.wire.flush()

    def _attach(self, link: Link, address: str) -> None:
        queue = self._broker.queues.get(address)
        fault = self._fault
        if fault is not None and fault.kind == "refuse_link":
            self._refuse(link, Condition(fault.condition, fault.description), fault.scope)
        elif fault is not None and fault.kind == "null_source":
            link.open(source=None, target=None)
        elif self._claims is None:
            self._refuse(link, Condition(UNAUTHORIZED, "no token was put"), "link")
        elif queue is None:
            self._refuse(link, Condition("amqp:not-found", f"no queue {address!r}"), self._broker.knobs.refuses_by)
        else:
            link.open(source=address, target=link.peer_target)
            queue.consumers.append((self, link))
            if fault is not None and self._fault_waits and fault.after == 0:
                self._strike(fault, link)

    def _refuse(self, link: Link, condition: Condition, scope: str) -> None:
        if scope == "link":
            link.open(source=None, target=None)
        self.end(condition, scope, link)

    def credited(self, link: Link) -> None:
        """The client asks for messages, or for its credit back."""
        if self._silent:
            return
        own = [queue for queue in self._broker.queues.values() if (self, link) in queue.consumers]
        for queue in own:
            held = sum(out is queue and not delivery.peer_settled for delivery, (out, _) in self._out.items())
            window = link.credit + held
            self._broker.widest_window = max(self._broker.widest_window, window)
            queue.pump()
        if link.draining and own:
            link.drained()
            self.wire.flush()

    def disposed(self, delivery: Delivery, how: int, *, failed: bool) -> None:
        """The client has settled a message."""
        if (out := self._out.pop(delivery, None)) is not None:
            queue, stored = out
            self._broker.settlements.append((stored.message.message_id, how, failed))
            queue.settle(stored, how, failed=failed)

    def delivered(self, link: Link, delivery: Delivery, data: bytes) -> None:
        """The client sends a message: it puts a token."""
        delivery.settle(amqp.Settled.ACCEPTED)
        request = amqp.Decoder().decode(data)
        link.flow(1)
        claims, why = self._broker.admit(CBS, request.body if isinstance(request.body, str) else None)
        self.contact = Contact(CBS, None, 0 if why is None else 1, why, claims, len(data))
        self._broker.contacts.append(self.contact)
        if why is None:
            self._authorise(claims)
        status = {"status-code": 202 if why is None else 401, "status-description": why or "accepted"}
        if self._cbs_replies is not None and self._cbs_replies.credit:
            answer = AmqpMessage(correlation_id=request.message_id, properties=status)
            self._cbs_replies.send(amqp.encode(answer, durable=False), "reply")
        self.wire.flush()

    def oversized(self, link: Link, delivery: Delivery) -> None:
        """The client sends what can be no token."""
        delivery.settle(amqp.Settled.REJECTED, condition=Condition("amqp:link:message-size-exceeded"))

    def detached(self, link: Link, condition: Condition | None) -> None:
        """The client closes a link; what it holds comes back."""
        for queue in self._broker.queues.values():
            if (self, link) in queue.consumers:
                queue.consumers.remove((self, link))
        self._return(link)

    def session_ended(self, condition: Condition | None) -> None:
        """The client ends its session."""
        self._leave()

    def closed(self, condition: Condition | None) -> None:
        """The client says good-bye."""
        self._leave()

    def broken(self, condition: Condition) -> None:
        """The client was silent for too long, or sends garbage."""
        self._leave()

    def lost(self, error: Exception | None) -> None:
        """The socket is gone."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._leave()
        self._broker.connections.discard(self)

    def _leave(self) -> None:
        for queue in self._broker.queues.values():
            queue.consumers = [(one, link) for one, link in queue.consumers if one is not self]
        self._return(None)

    def _return(self, link: Link | None) -> None:
        returned: dict[str, list[Stored]] = {}
        for delivery, (queue, stored) in list(self._out.items()):
            if link is None or delivery.link is link:
                del self._out[delivery]
                queue.unsettled -= 1
                returned.setdefault(queue.name, []).append(stored)
        for name, messages in returned.items():
            self._broker.queues[name].back(messages, failed=True)

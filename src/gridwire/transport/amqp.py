"""The AMQP 1.0 engine behind one small seam; the only module that imports proton.

proton's protocol engine does no I/O: bytes go in and come out, and what the peer did is told to a `Side`. It is used
without its own SASL and TLS, which a build may lack silently: the login is `gridwire.transport.sasl`, encryption is
Python's. What handles every message calls the engine's C interface directly, because the objects around it cost more
than the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any
from uuid import UUID

from gridwire.errors import MissingExtra
from gridwire.observe.redact import one_line
from gridwire.transport import amqp_sections
from gridwire.transport.amqp_decimals import decimal_of
from gridwire.transport.amqp_failure import Condition
from gridwire.transport.amqp_message import AmqpMessage
from gridwire.transport.amqp_side import Side

try:
    import cproton
    import proton
except ImportError:
    raise MissingExtra(
        "AMQP needs an extra: pip install 'gridwire[edsn]'. It is compiled on installation, for which Debian and Ubuntu "
        "need: apt-get install gcc python3-dev. Tickets and comments over REST work without it."
    ) from None

MAX_FRAME_BYTES = 64 * 1024
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_TICK_SHIFT_S = 1.0


class Settled(IntEnum):
    """How a delivery ended (AMQP 1.0, section 3.4)."""

    ACCEPTED = cproton.PN_ACCEPTED
    """Done with; the broker forgets it."""
    REJECTED = cproton.PN_REJECTED
    """Invalid; the broker drops it or keeps it apart."""
    RELEASED = cproton.PN_RELEASED
    """Not looked at; the broker delivers it again, to us or to another."""
    MODIFIED = cproton.PN_MODIFIED
    """Given back; with ``failed`` the broker counts a failed delivery."""


class Delivery:
    """One message on its way. Valid as long as its connection; settling it later does nothing."""

    __slots__ = ("_presettled", "_raw", "link", "settled", "tag")

    def __init__(self, raw: Any, link: Link, tag: str = "", *, presettled: bool = False) -> None:
        self._raw = raw
        self._presettled = presettled
        self.link: Link = link
        self.tag: str = tag
        self.settled: bool = False

    @property
    def presettled(self) -> bool:
        """Whether the peer had settled it when it came: it has forgotten it, and will not deliver it again."""
        return self._presettled

    @property
    def peer_settled(self) -> bool:
        """Whether the peer has settled it, also if that was not told yet."""
        return bool(cproton.pn_delivery_settled(self._raw))

    def settle(self, how: Settled | None, *, failed: bool = False, condition: Condition | None = None) -> bool:
        """Tell the peer how it ended, once (None: only forget it). False if it was settled or its connection has ended."""
        if self.settled or self.link.engine.over:
            return False
        self.settled = True
        if how is not None:
            local = cproton.pn_delivery_local(self._raw)
            if failed:
                cproton.pn_disposition_set_failed(local, True)
            if condition is not None:
                _set_condition(cproton.pn_disposition_condition(local), condition)
            cproton.pn_delivery_update(self._raw, how)
        cproton.pn_delivery_settle(self._raw)
        return True


class Link:
    """One direction of messages. ``receives`` says whether they come to us."""

    def __init__(self, engine: Engine, own: Any) -> None:
        self.engine: Engine = engine
        self._own = own
        self._raw = own._impl
        self.name: str = own.name
        self.receives: bool = own.is_receiver

    @property
    def peer_source(self) -> str | None:
        """The source's address as the peer sees it; None where the peer refuses the link."""
        return self._address(self._own.remote_source)

    @property
    def peer_target(self) -> str | None:
        """The target's address as the peer sees it."""
        return self._address(self._own.remote_target)

    @staticmethod
    def _address(terminus: Any) -> str | None:
        found = terminus.address if terminus.type != proton.Terminus.UNSPECIFIED else None
        return str(found) if found is not None else None

    @property
    def peer_presettles(self) -> bool:
        """Whether the peer will send everything settled, whatever we have asked for."""
        return bool(self._own.remote_snd_settle_mode == proton.Link.SND_SETTLED)

    @property
    def credit(self) -> int:
        """How many more messages the receiving side has asked for; below 0 if the sender has sent more than that."""
        return int(cproton.pn_link_credit(self._raw))

    @property
    def draining(self) -> bool:
        """Whether the receiving side wants what is there now and its unused credit back."""
        return bool(cproton.pn_link_get_drain(self._raw))

    @property
    def opened(self) -> bool:
        """Whether we have opened our side of it."""
        return not self._own.state & proton.Endpoint.LOCAL_UNINIT

    def open(self, *, source: str | None, target: str | None, capabilities: Sequence[str] = ()) -> None:
        """Open our side; a peer that asked for the link learns these addresses, None refuses it.

        One that will send over it learns also how long a message may be.
        """
        if source is not None:
            self._own.source.address = source
            for name in capabilities:
                self._own.source.capabilities.put_object(proton.symbol(name))
        if target is not None:
            self._own.target.address = target
        self._own.snd_settle_mode = proton.Link.SND_UNSETTLED
        self._own.rcv_settle_mode = proton.Link.RCV_FIRST
        if self.receives:
            self._own.max_message_size = MAX_MESSAGE_BYTES
        self._own.open()

    def close(self, condition: Condition | None = None) -> None:
        """Close it for good."""
        if condition is not None:
            self._own.condition = _condition_out(condition)
        self._own.close()

    def flow(self, credit: int) -> None:
        """Ask for ``credit`` more messages. What comes of it must not be below 0, which travels as four billion."""
        cproton.pn_link_flow(self._raw, credit)

    def regrant(self) -> None:
        """Ask for another message in place of one that nobody was given."""
        if self.credit >= 0:
            cproton.pn_link_flow(self._raw, 1)

    def stop(self) -> None:
        """Take back the credit that is not used. What is on its way still comes.

        Not by draining: RabbitMQ 3.10 ends the session on a drain with credit left, and forgets settlements with it.
        """
        credit = self.credit
        if credit > 0:  # below 0 for a broker that sent more than we asked for; as a flow that would ask for 4 billion
            cproton.pn_link_flow(self._raw, -credit)

    def drained(self) -> None:
        """Give unused credit back, as the receiving side asked."""
        cproton.pn_link_drained(self._raw)

    def send(self, data: bytes, tag: str) -> Delivery:
        """Send one encoded message, unsettled. There must be credit."""
        delivery = Delivery(cproton.pn_delivery(self._raw, tag), self, tag)
        cproton.pn_link_send(self._raw, data)
        cproton.pn_link_advance(self._raw)
        self.engine.sent[delivery._raw] = delivery
        return delivery


class Engine:
    """One connection, one session, without I/O."""

    def __init__(
        self,
        side: Side,
        *,
        server: bool = False,
        container_id: str,
        hostname: str | None = None,
        idle_timeout_s: float = 0.0,
        properties: Mapping[str, Any] | None = None,
        desired_capabilities: Sequence[str] = (),
    ) -> None:
        self._side = side
        self._server = server
        self._links: dict[Any, Link] = {}
        self.sent: dict[Any, Delivery] = {}
        """What was sent and not yet settled by the peer."""
        self.over: bool = False
        """Whether nothing can be told to the peer any more."""
        self._end_told = False
        self._dropping: set[Any] = set()
        self._connection = connection = proton.Connection()
        self._collector = proton.Collector()
        connection.collect(self._collector)
        self._raw_collector = self._collector._impl
        connection.container = container_id
        if hostname is not None:
            connection.hostname = hostname
        if properties:
            connection.properties = dict(properties)
        if desired_capabilities:
            connection.desired_capabilities = list(desired_capabilities)
        mode = proton.Transport.SERVER if server else proton.Transport.CLIENT
        self._transport = proton.Transport(mode)
        self._transport.max_frame_size = MAX_FRAME_BYTES
        self._transport.idle_timeout = idle_timeout_s
        self._transport.bind(connection)
        self._raw = self._transport._impl
        self._session: Any = None

    # what we do

    def open(self) -> None:
        """Open our side of the connection."""
        self._connection.open()

    def receiver(self, name: str) -> Link:
        """A new link to us; the session is begun with the first one."""
        return self._new_link(self._begun().receiver(name))

    def sender(self, name: str) -> Link:
        """A new link from us."""
        return self._new_link(self._begun().sender(name))

    def end_session(self, condition: Condition | None = None) -> None:
        """End the session and every link in it."""
        if self._session is not None:
            if condition is not None:
                self._session.condition = _condition_out(condition)
            self._session.close()

    def close(self, condition: Condition | None = None) -> None:
        """Close our side of the connection."""
        if condition is not None:
            self._connection.condition = _condition_out(condition)
        self._connection.close()

    def _begun(self) -> Any:
        if self._session is None:
            self._session = self._connection.session()
            self._session.open()
        return self._session

    def _new_link(self, own: Any) -> Link:
        link = Link(self, own)
        self._links[own._impl] = link
        return link

    # bytes

    def receive(self, data: bytes) -> None:
        """Take what arrived and tell the side what it means."""
        view = memoryview(data)
        while view and not self.over:
            capacity = cproton.pn_transport_capacity(self._raw)
            if capacity <= 0:  # it reads no more: what comes after the end means nothing
                break
            pushed = cproton.pn_transport_push(self._raw, view[:capacity])
            if pushed <= 0:
                break
            view = view[pushed:]
            self._dispatch()
        self._dispatch()
        # The engine stops reading at a frame that it can make nothing of, and raises no event about it.
        if not self.over and not self._end_told and cproton.pn_transport_capacity(self._raw) < 0:
            condition = Condition("amqp:connection:framing-error", "a frame that means nothing")
            self.close(condition)
            self._broken(condition)

    def output(self) -> bytes | None:
        """What is to be sent now, at most 256 kB; empty for nothing, None when nothing will follow."""
        if self.over:
            return None
        pending = cproton.pn_transport_pending(self._raw)
        if pending < 0:
            return None
        if pending == 0:
            return b""
        count, data = cproton.pn_transport_peek(self._raw, min(pending, _CHUNK_BYTES))
        if count <= 0:
            return None
        cproton.pn_transport_pop(self._raw, count)
        self._dispatch()
        return bytes(data)

    def tick(self, now: float) -> float | None:
        """Send an empty frame if one is due, notice silence; when to be called again. ``now`` is the loop's time."""
        # The engine takes a time of 0 for "never", and counts whole milliseconds: one that is begun is not over for it.
        deadline = self._transport.tick(now + _TICK_SHIFT_S)
        self._dispatch()
        return deadline - _TICK_SHIFT_S + 0.001 if deadline else None

    def release(self) -> None:
        """Free everything; deliveries can no longer be settled."""
        if not self.over:
            self.over = True
            self._links.clear()
            self._dropping.clear()
            self.sent.clear()
            self._transport.unbind()
            self._connection.free()
            self._collector.release()

    # what the peer did

    def _dispatch(self) -> None:
        if self.over:
            return
        collector, peek, pop = self._raw_collector, cproton.pn_collector_peek, cproton.pn_collector_pop
        while event := peek(collector):
            kind = cproton.pn_event_type(event)
            try:
                if kind == cproton.PN_DELIVERY:
                    self._on_delivery(cproton.pn_event_delivery(event))
                elif (handler := _HANDLERS.get(kind)) is not None:
                    handler(self, proton.Event.wrap(event))  # type: ignore[no-untyped-call]
            except Exception as error:  # noqa: BLE001 - a name that is no text, say: the engine does not look at those
                what = f"it holds what cannot be read ({type(error).__name__})"
                self._broken(Condition("amqp:decode-error", what))
            if self.over:
                return
            pop(collector)

    def _broken(self, condition: Condition) -> None:
        self._end_told = True
        self._side.broken(condition)

    def _on_delivery(self, raw: Any) -> None:
        if cproton.pn_delivery_readable(raw) or cproton.pn_delivery_aborted(raw):
            self._on_message(raw)
        elif cproton.pn_delivery_updated(raw) and (sent := self.sent.get(raw)) is not None:
            state = cproton.pn_delivery_remote_state(raw)
            if cproton.pn_delivery_settled(raw) or state:
                del self.sent[raw]
                failed = bool(cproton.pn_disposition_is_failed(cproton.pn_delivery_remote(raw)))
                sent.settle(None)
                self._side.disposed(sent, int(state), failed=failed)

    def _on_message(self, raw: Any) -> None:
        raw_link = cproton.pn_delivery_link(raw)
        link = self._links[raw_link]
        if cproton.pn_delivery_aborted(raw):
            self._dropping.discard(raw)
            cproton.pn_delivery_settle(raw)
            link.regrant()
            return
        size = cproton.pn_delivery_pending(raw)
        if size > MAX_MESSAGE_BYTES or raw in self._dropping:
            self._drop(link, raw)
            return
        if cproton.pn_delivery_partial(raw):
            return
        _, data = cproton.pn_link_recv(raw_link, size)
        cproton.pn_link_advance(raw_link)
        self._side.delivered(link, Delivery(raw, link, presettled=cproton.pn_delivery_settled(raw)), data)

    def _drop(self, link: Link, raw: Any) -> None:
        """Throw away what came of a message that is too long, and once it is whole, tell so.

        Not settled before: until that is sent, the engine would go on collecting.
        """
        self._dropping.add(raw)
        while cproton.pn_delivery_pending(raw):
            cproton.pn_link_recv(link._raw, _CHUNK_BYTES)
        if not cproton.pn_delivery_partial(raw):
            self._dropping.discard(raw)
            cproton.pn_link_advance(link._raw)
            self._side.oversized(link, Delivery(raw, link, presettled=cproton.pn_delivery_settled(raw)))
            link.regrant()

    def _on_open(self, _: Any) -> None:
        self._side.opened()

    def _on_session_open(self, event: Any) -> None:
        if self._session is None:
            self._session = event.session
            self._session.open()

    def _on_session_close(self, event: Any) -> None:
        condition = _condition_in(event.session.remote_condition)
        event.session.close()
        self._side.session_ended(condition)

    def _on_link_open(self, event: Any) -> None:
        link = self._links.get(event.link._impl) or self._new_link(event.link)
        self._side.attached(link)

    def _on_link_close(self, event: Any) -> None:
        if (link := self._links.get(event.link._impl)) is not None:
            self._side.detached(link, _condition_in(event.link.remote_condition))
            if not self.over:
                event.link.close()

    def _on_flow(self, event: Any) -> None:
        if (link := self._links.get(event.link._impl)) is not None:
            self._side.credited(link)

    def _on_close(self, event: Any) -> None:
        condition = _condition_in(event.connection.remote_condition)
        event.connection.close()
        self._end_told = True
        self._side.closed(condition)

    def _on_error(self, event: Any) -> None:
        condition = _condition_in(event.transport.condition)
        self._broken(condition or Condition("amqp:internal-error", "the engine gave no reason"))


_HANDLERS: dict[int, Callable[[Engine, Any], None]] = {
    cproton.PN_CONNECTION_REMOTE_OPEN: Engine._on_open,
    cproton.PN_CONNECTION_REMOTE_CLOSE: Engine._on_close,
    cproton.PN_SESSION_REMOTE_OPEN: Engine._on_session_open,
    cproton.PN_SESSION_REMOTE_CLOSE: Engine._on_session_close,
    cproton.PN_LINK_REMOTE_OPEN: Engine._on_link_open,
    cproton.PN_LINK_REMOTE_CLOSE: Engine._on_link_close,
    cproton.PN_LINK_REMOTE_DETACH: Engine._on_link_close,
    cproton.PN_LINK_FLOW: Engine._on_flow,
    cproton.PN_TRANSPORT_ERROR: Engine._on_error,
}


def _condition_in(condition: Any) -> Condition | None:
    if condition is None:
        return None
    text = str(condition.description or "")
    if condition.info and str(condition.name).endswith(":redirect"):
        info = {str(name): str(value) for name, value in dict(condition.info).items()}
        text += f" to {info.get('network-host') or info.get('hostname') or '?'}:{info.get('port', '?')}"
    return Condition(one_line(str(condition.name), 100), one_line(text))


def _condition_out(condition: Condition) -> Any:
    return proton.Condition(condition.name, condition.description or None)


def _set_condition(raw: Any, condition: Condition) -> None:
    cproton.pn_condition_set_name(raw, condition.name)
    cproton.pn_condition_set_description(raw, condition.description)


# messages

_EMPTY = AmqpMessage()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Undecodable(ValueError):
    """The bytes of a delivery are no AMQP message."""


class Decoder:
    """Encoded messages as plain values. One per user: it keeps a message of the engine to decode into."""

    def __init__(self) -> None:
        self._message = proton.Message()

    def decode(self, data: bytes) -> AmqpMessage:
        """The message in ``data``. Raises `Undecodable`."""
        raw = self._message._msg
        cproton.pn_message_clear(raw)  # decoding leaves what a message does not name as the one before had it
        if not data or cproton.pn_message_decode(raw, data) != 0:  # an empty message decodes without complaint
            raise Undecodable("the delivery holds no AMQP message")
        try:
            message = self._read(raw)
            if message.body is None or amqp_sections.maybe_several(data):
                message = replace(message, body=amqp_sections.whole_body(data, _decoded))
        except (Undecodable, amqp_sections.BadSections) as error:
            raise Undecodable(f"the delivery holds what cannot be read: {error}") from None
        except Exception as error:  # noqa: BLE001 - hostile bytes may raise anything, and must not end the connection
            raise Undecodable(f"the delivery holds a value that cannot be read ({type(error).__name__})") from None
        if message == _EMPTY:  # the engine passes over a damaged section without a word
            raise Undecodable("the delivery holds nothing that can be read")
        return message

    def _read(self, raw: Any) -> AmqpMessage:
        properties = _value(cproton.pn_message_properties(raw))  # these two are decoded by asking for them
        body = _value(cproton.pn_message_body(raw))
        created_ms = cproton.pn_message_get_creation_time(raw)
        return AmqpMessage(
            body=body,
            content_type=cproton.pn_message_get_content_type(raw),
            content_encoding=cproton.pn_message_get_content_encoding(raw),
            subject=cproton.pn_message_get_subject(raw),
            message_id=_id(cproton.pn_message_get_id(raw)),
            correlation_id=_id(cproton.pn_message_get_correlation_id(raw)),
            created=_moment(created_ms) if created_ms else None,
            properties=properties if isinstance(properties, dict) else {},
            delivery_count=cproton.pn_message_get_delivery_count(raw),
        )


def _value(data: Any) -> Any:
    if not cproton.pn_data_next(data):
        return None
    if cproton.pn_data_type(data) == cproton.PN_BINARY:
        return bytes(cproton.pn_data_get_binary(data))
    return plain(proton.Data(data).get_object())


def _decoded(value: bytes) -> Any:
    data = proton.Data()
    data.decode(value)
    data.rewind()
    return _value(data._data)


def encode(message: AmqpMessage, *, durable: bool = True, reply_to: str | None = None) -> bytes:
    """``message`` as it goes over the wire; a body of bytes becomes a data section, any other a value section."""
    out: Any = proton.Message(body=message.body)
    out.inferred = isinstance(message.body, bytes)
    out.durable = durable
    if message.message_id is not None:
        out.id = message.message_id
    if message.correlation_id is not None:
        out.correlation_id = message.correlation_id
    texts = {name: getattr(message, name) for name in ("subject", "content_type", "content_encoding")}
    for name, value in {**texts, "reply_to": reply_to}.items():
        if value is not None:
            setattr(out, name, value)
    if message.created is not None:
        cproton.pn_message_set_creation_time(out._msg, int(message.created.timestamp() * 1000))
    cproton.pn_message_set_delivery_count(out._msg, message.delivery_count)
    if message.properties:
        out.properties = dict(message.properties)
    return bytes(out.encode())


MOST_DEPTH = 64
"""Lists and maps within each other in a message; more than this is taken for no message."""


def plain(value: Any, depth: int = 0) -> Any:
    """A value of the engine as Python's own types, whatever its AMQP type was.

    Raises `Undecodable` for one nested too deep.
    """
    if depth > MOST_DEPTH:
        raise Undecodable(f"the delivery holds values nested more than {MOST_DEPTH} deep")
    match value:
        case proton.decimal32() | proton.decimal64():  # to Python the bits that encode it, and not the number
            return decimal_of(int(value), 32 if isinstance(value, proton.decimal32) else 64)
        case proton.decimal128():
            return decimal_of(int.from_bytes(bytes(value), "big"), 128)
        case None | bool() | bytes() | UUID():
            return value
        case proton.timestamp():
            return _moment(int(value))
        case str():
            return str(value)
        case int():
            return int(value)
        case float():
            return float(value)
        case memoryview() | bytearray():
            return bytes(value)
        case dict():
            return {plain(key, depth + 1): plain(item, depth + 1) for key, item in value.items()}
        case proton.Described():
            return plain(value.value, depth + 1)
        case proton.Array():
            return [plain(item, depth + 1) for item in value.elements]
        case list() | tuple():
            return [plain(item, depth + 1) for item in value]
    return str(value)


def _id(value: Any) -> str | None:
    if value is None:
        return None
    return bytes(value).hex() if isinstance(value, (bytes, bytearray, memoryview)) else str(value)


def _moment(milliseconds: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None

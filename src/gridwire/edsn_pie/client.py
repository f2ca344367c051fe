"""The async client of EDSN Partners in Energie. It wires the pieces together."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import Callable, Collection
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pydantic import SecretStr

from gridwire import settings
from gridwire.edsn_pie import doctor, wire
from gridwire.edsn_pie.calls import Caller
from gridwire.edsn_pie.decoder import decode
from gridwire.edsn_pie.doctor import Finding
from gridwire.edsn_pie.errors import Facts
from gridwire.edsn_pie.identity import Identity
from gridwire.edsn_pie.models import Comment, CommentCreated, Notification, Ticket, TicketCreated
from gridwire.edsn_pie.profile import Account, AmqpSettings, Profile
from gridwire.edsn_pie.settings import PREFIX, TABLE, PieSettings, account_of, check_account, inbox_owner
from gridwire.edsn_pie.stream import ConsumerOptions, StreamEvent, check_handler
from gridwire.errors import ConfigurationError, InvalidInput, ReadOnly
from gridwire.intents.inbox import default_inbox
from gridwire.observe.events import Events, Listener
from gridwire.transport.amqp_message import AmqpMessage
from gridwire.transport.http import HttpTransport
from gridwire.transport.tls import Network

if TYPE_CHECKING:
    from gridwire.edsn_pie.consumer import Consumer
    from gridwire.edsn_pie.link import TokenSource

ENOUGH_LIFE_S = 120.0
"""A connection to the broker begins with a token that has this long to live, or half its life if that is less."""


_FOR_A_TOKEN = ("audience", "scope", "assertion")
_FOR_THE_BROKER = ("amqp_auth", "amqp_port")


class EdsnPie:
    """A service account at Partners in Energie, as an async context manager bound to the event loop it was opened on.

    ``account`` says where and who: from a `Sandbox`, or built by `from_env`. Nothing is asked of the venue before the
    first call. Every call reads; nothing here changes a ticket.

    ``read_only`` refuses to take notifications, because taking one removes it from the queue. ``inbox`` is the file in
    which notifications are stored before the queue may forget them (True for the usual place, one for each environment,
    account and queue; off unless told), for one process at a time. ``confirmed`` lists the uncertain profile fields that
    you have checked with the venue (needed in production). ``proxy``, ``ca_bundle``, ``client_cert``,
    ``client_cert_passphrase`` and ``timeout`` (seconds for one attempt) are as in `gridwire.transport.tls.Network`. ``on_event`` is told what happens.
    """

    def __init__(
        self,
        account: Account,
        *,
        proxy: str | None = None,
        ca_bundle: str | None = None,
        client_cert: str | None = None,
        client_cert_passphrase: SecretStr | str | None = None,
        timeout: float = 10.0,
        trust_env: bool = False,
        read_only: bool = False,
        inbox: bool | str | Path = False,
        confirmed: Collection[str] = (),
        on_event: Listener | None = None,
    ) -> None:
        if not isinstance(account, Account):
            raise ConfigurationError(
                'EdsnPie takes an account: Sandbox(...).edsn_pie, or EdsnPie.from_env(environment="test", …) for a real '
                f"one. This is a {type(account).__name__}."
            )
        check_account(account)
        self.profile: Profile = account.profile
        self._account = account
        self._network = Network(
            proxy=proxy,
            ca_bundle=ca_bundle,
            ca_pem=account.ca_pem,
            client_cert=client_cert,
            client_cert_passphrase=client_cert_passphrase,
            timeout_s=timeout,
            trust_env=trust_env,
        )
        self._read_only = read_only
        amqp = account.profile.amqp
        queue = amqp.address if amqp is not None else ""
        self._owner = inbox_owner(account.profile.environment, account.client_id, queue)
        self._inbox = (
            default_inbox(self._owner) if inbox is True else settings.lasting_path(inbox, "inbox") if inbox else None
        )
        self._consumers: list[Consumer] = []
        self._confirmed = settings.known_fields(confirmed, account.profile.facts)
        self._events = Events(on_event)
        self._http = HttpTransport(self._network)
        self._identity = Identity(self._http.send, account, self._events, self._allow_token)
        self._caller = Caller(self._http.send, self._identity, account.profile, self._confirmed, self._events)

    @classmethod
    def from_env(cls, *, file: Path | None = None, **arguments: Any) -> Self:
        """A client from settings: ``arguments`` outrank the environment, which outranks ``gridwire.toml`` and the keyring.

        Settings are named as in `PieSettings`, and in the environment with the prefix ``GRIDWIRE_EDSN_PIE_``. Other
        arguments of the constructor pass through. The environment must be named: there is no default. Raises
        `ConfigurationError` naming the setting.
        """
        known = {name: arguments.pop(name) for name in list(arguments) if name in PieSettings.model_fields}
        found = settings.load(PieSettings, prefix=PREFIX, table=TABLE, overrides=known, file=file)
        names = ("proxy", "ca_bundle", "client_cert", "client_cert_passphrase", "timeout")
        options = {name: getattr(found, name) for name in names}
        return cls(
            account_of(found),
            read_only=found.read_only,
            inbox=found.inbox,
            confirmed=found.confirmed,
            **options,
            **arguments,
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for consumer in self._consumers:
                consumer.stop()  # all of them, also if we are cancelled while waiting for the first
            for consumer in self._consumers:
                await consumer.aclose()
        finally:
            try:
                await self._identity.aclose()
            finally:
                await self._http.__aexit__(kind, error, trace)

    async def warm_up(self) -> None:
        """Do now what the first call would otherwise wait for: parse the key and fetch a token."""
        await self._identity.get()

    async def token(self) -> str:
        """An access token, for calls that gridwire does not make. It is a secret, and lives minutes: do not keep it."""
        return (await self._identity.get()).value

    async def examine(self) -> list[Finding]:
        """Look at the set-up: key, clocks, identity provider, token and its claims, API, broker and queue.

        Reads no ticket and takes no notification. Each `Finding` says what was looked at and whether it is as it should
        be; none holds a secret.
        """
        return await doctor.examine(
            self._http.send,
            self._identity,
            self._account,
            network=self._network,
            confirmed=self._confirmed,
            read_only=self._read_only,
            allow_broker=partial(self._require, *_FOR_THE_BROKER, use="log in at the broker"),
        )

    async def get_ticket(self, ticket_id: str) -> Ticket:
        """One ticket. Raises `EdsnNotFound`, `EdsnPermissionError`, or another leaf of `EdsnError`."""
        url = self.profile.rest_url + wire.path(self.profile.ticket_path, ticket_id=ticket_id)
        return await self._ticket(url, ticket_id, template="ticket_path")

    async def list_comments(self, ticket_id: str) -> list[Comment]:
        """Every comment of a ticket, however many pages they take. All or an error: never a part of them."""
        return await self._caller.comments(ticket_id)

    async def get_comment(self, ticket_id: str | None, comment_id: str) -> Comment:
        """One comment. ``ticket_id`` may be None where the path of comments does without it (``comment_path``)."""
        template = self.profile.comment_path
        if ticket_id is None and "{ticket_id}" in template:
            raise InvalidInput(
                "ticket_id is None, and the path of a comment needs it (comment_path). Nothing was sent."
            )
        ids = {"comment_id": comment_id} if ticket_id is None else {"comment_id": comment_id, "ticket_id": ticket_id}
        return await self._comment(
            self.profile.rest_url + wire.path(template, **ids), comment_id, ticket_id, template="comment_path"
        )

    async def fetch(self, notification: Notification) -> Ticket | Comment:
        """The ticket or comment that a notification is about.

        A ``dataref`` in it is used if it leads to the configured API over https, and refused otherwise
        (`EdsnForeignReference`): the token goes nowhere else. Raises `InvalidInput` for an `UnknownNotification`.
        """
        match notification:
            case TicketCreated(dataref=None, ticket_id=ticket_id):
                return await self.get_ticket(ticket_id)
            case TicketCreated(dataref=str(dataref), ticket_id=ticket_id):
                return await self._ticket(wire.reference(dataref, self.profile.rest_url), ticket_id)
            case CommentCreated(dataref=None, ticket_id=ticket_id, comment_id=comment_id):
                return await self.get_comment(ticket_id, comment_id)
            case CommentCreated(dataref=str(dataref), ticket_id=ticket_id, comment_id=comment_id):
                return await self._comment(wire.reference(dataref, self.profile.rest_url), comment_id, ticket_id)
        raise InvalidInput(
            "This notification names neither a ticket nor a comment, so there is nothing to fetch; its raw holds what came. "
            "Nothing was sent."
        )

    def notifications(self, options: ConsumerOptions | None = None) -> Consumer:
        """The notifications of new tickets and comments, as an endless async iterator; each is to be entered.

        ::

            async for item in pie.notifications():
                async with item as told:      # accepted when the block ends well, kept when it raises
                    ...

        It also yields what happens to the link: see `gridwire.edsn_pie.stream`. Taking a notification removes it from the
        queue, which several processes share. Raises `ReadOnly`, `Unconfirmed`, `MissingExtra` without the extra ``edsn``,
        and `ConfigurationError` where no broker and queue are named.
        """
        if self._read_only:
            raise ReadOnly(
                "Taking a notification removes it from the queue, and this client is read-only. Nothing was taken."
            )
        # Before the broker is looked for: a sandbox without the extra has none, and naming one would not help.
        from gridwire.edsn_pie.consumer import Consumer

        amqp = self._broker("take notifications")
        chosen = options or ConsumerOptions()
        consumer = Consumer(
            amqp,
            user=amqp.username or self._account.client_id,
            network=self._network,
            tokens=self._token_source(),
            decode=partial(decode, pointers=self.profile.pointers),
            options=chosen if chosen.inbox is not None else replace(chosen, inbox=self._inbox),
            events=self._events,
            inbox_owner=self._owner,
        )
        self._consumers = [*(one for one in self._consumers if not one.closed), consumer]
        return consumer

    async def peek(self, most: int = 20, *, quiet_s: float = 2.0) -> list[Notification]:
        """The notifications that wait in the queue, up to ``most`` (1,000 at most), without taking any.

        They are given back to the queue before this returns, and come to whoever reads it next; meanwhile no other reader is
        given them. It looks until none has come for ``quiet_s`` seconds. Works with ``read_only`` too, and leaves an inbox
        alone. Raises `InvalidInput`, what `notifications` raises, and what ends its stream.
        """
        if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= 1000:
            raise InvalidInput(f"most must be a whole number from 1 to 1000, not {most!r}. Nothing was asked for.")
        if isinstance(quiet_s, bool) or not isinstance(quiet_s, (int, float)) or not 0 < quiet_s <= 60:
            raise InvalidInput(f"quiet_s must be a number of seconds up to 60, not {quiet_s!r}. Nothing was asked for.")
        from gridwire.edsn_pie import peek

        amqp = self._broker("look at notifications")
        user = amqp.username or self._account.client_id
        tokens = self._token_source()
        found = await peek.look(
            amqp, user, self._network, tokens, most=most, quiet_s=quiet_s, lost=self._tell_of_a_lost_one
        )
        return [decode(message, self.profile.pointers) for message in found]

    async def run(
        self,
        handler: Callable[[Notification], object],
        *,
        concurrency: int = 1,
        options: ConsumerOptions | None = None,
        on_event: Callable[[StreamEvent], object] | None = None,
    ) -> None:
        """Call ``handler`` for each notification, up to ``concurrency`` at a time, until cancelled.

        ``handler`` is a coroutine function, or a plain one, which runs in a thread; stopping does not wait for the thread of
        one that takes longer than ``stop_timeout_s``. A notification whose handler raises comes again. ``on_event`` is
        called with what else happens: `HandlerFailed` holds what the handler raised. Raises `InvalidInput` for a handler
        that cannot be called with a notification, what `notifications` raises, and what ends the stream:
        `EdsnAuthError`, `EdsnLinkError`, `EdsnTlsError`.
        """
        consumer = self.notifications(options)
        check_handler(handler)
        # Threads of its own: those of the loop are few, and the inbox and the names of hosts need them meanwhile.
        threads = ThreadPoolExecutor(max(1, concurrency), thread_name_prefix="gridwire-pie-handler")
        try:
            await consumer.run(partial(_call, handler, threads), concurrency=concurrency, on_event=on_event)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    # -----------------------------------------------------------------------------------------------------------------

    def _broker(self, use: str) -> AmqpSettings:
        """Where the broker is, if it may be logged in at."""
        amqp = self.profile.amqp
        if amqp is None:
            raise ConfigurationError(
                "No broker is named: set amqp_host and amqp_address to the host and the queue that EDSN told you. Nothing "
                "was taken."
            )
        self._http.check_open()
        self._require(*_FOR_A_TOKEN, *_FOR_THE_BROKER, use=use)
        return amqp

    def _token_source(self) -> TokenSource:
        from gridwire.edsn_pie.link import TokenSource

        return TokenSource(self._token_for_a_connection, self._identity.refused, self._identity.left_s)

    def _tell_of_a_lost_one(self, message: AmqpMessage) -> None:
        self._events.emit(
            "notification.lost",
            f"The broker had settled {message.message_id or 'a message without an id'} when it sent it, so it cannot be given "
            "back: what was shown of it now is all there is. Look at the portal.",
            level=logging.ERROR,
        )

    async def _token_for_a_connection(self) -> str:
        return (await self._identity.get(least_s=ENOUGH_LIFE_S)).value

    async def _ticket(self, url: str, ticket_id: str, *, template: str | None = None) -> Ticket:
        def read(body: object, facts: Facts) -> Ticket:
            return wire.ticket(body, ticket_id, facts, self.profile)

        return await self._caller.get("get_ticket", url, read, template=template)

    async def _comment(
        self, url: str, comment_id: str, ticket_id: str | None, *, template: str | None = None
    ) -> Comment:
        def read(body: object, facts: Facts) -> Comment:
            return wire.comment(body, comment_id, ticket_id, facts, self.profile)

        return await self._caller.get("get_comment", url, read, template=template)

    def _allow_token(self) -> None:
        self._http.check_open()
        self._require(*_FOR_A_TOKEN, use="ask for a token")

    def _require(self, *fields: str, use: str) -> None:
        settings.require_confirmed(
            variable=PREFIX + "CONFIRMED",
            venue="EDSN Partners in Energie",
            environment=self.profile.environment,
            facts=self.profile.facts,
            fields=fields,
            confirmed=self._confirmed,
            use=use,
        )


async def _call(handler: Callable[[Notification], object], threads: Executor, notification: Notification) -> None:
    """Await ``handler`` if it is asynchronous; a plain one runs in a thread, where it may block."""
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None)):  # noqa: B004
        result = handler(notification)
    else:
        context = contextvars.copy_context()
        result = await asyncio.get_running_loop().run_in_executor(
            threads, lambda: context.run(_in_thread, handler, notification)
        )
    if inspect.isawaitable(result):
        await result


def _in_thread(handler: Callable[[Notification], object], notification: Notification) -> object:
    """What the handler returns or raises. A StopIteration cannot be handed on: whoever waits for it would wait for ever."""
    try:
        return handler(notification)
    except StopIteration as error:
        raise RuntimeError("The handler raised StopIteration") from error

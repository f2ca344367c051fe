"""EDSN Partners in Energie without ``async``: the calls and models of `gridwire.edsn_pie`.

Made by ``tools/make_sync.py`` from the async classes: change those, and run it again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr

from gridwire.edsn_pie.client import EdsnPie as AsyncEdsnPie
from gridwire.edsn_pie.doctor import Finding
from gridwire.edsn_pie.models import Comment, Notification, Ticket
from gridwire.edsn_pie.profile import Account, Profile
from gridwire.edsn_pie.stream import ConsumerOptions, StreamEvent
from gridwire.observe.events import Listener
from gridwire.sync.base import Blocking
from gridwire.sync.bridge import Bridge
from gridwire.sync.notifications import Consumer


class EdsnPie(Blocking):
    """A service account at Partners in Energie, as a context manager, on an event loop and in a thread of its own.

    ``account`` says where and who: from a `Sandbox`, or built by `from_env`. Nothing is asked of the venue before the
    first call. Every call reads; nothing here changes a ticket.

    ``read_only`` refuses to take notifications, because taking one removes it from the queue. ``inbox`` is the file in
    which notifications are stored before the queue may forget them (True for the usual place, one for each environment,
    account and queue; off unless told), for one process at a time. ``confirmed`` lists the uncertain profile fields that
    you have checked with the venue (needed in production). ``proxy``, ``ca_bundle``, ``client_cert``,
    ``client_cert_passphrase`` and ``timeout`` (seconds for one attempt) are as in `gridwire.transport.tls.Network`. ``on_event`` is told what happens, on the client's own thread.
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
        self._wrap(
            AsyncEdsnPie(
                account,
                proxy=proxy,
                ca_bundle=ca_bundle,
                client_cert=client_cert,
                client_cert_passphrase=client_cert_passphrase,
                timeout=timeout,
                trust_env=trust_env,
                read_only=read_only,
                inbox=inbox,
                confirmed=confirmed,
                on_event=on_event,
            )
        )

    @classmethod
    def from_env(cls, *, file: Path | None = None, **arguments: Any) -> Self:
        """A client from settings: ``arguments`` outrank the environment, which outranks ``gridwire.toml`` and the keyring.

        Settings are named as in `PieSettings`, and in the environment with the prefix ``GRIDWIRE_EDSN_PIE_``. Other
        arguments of the constructor pass through. The environment must be named: there is no default. Raises
        `ConfigurationError` naming the setting.
        """
        client = cls.__new__(cls)
        client._wrap(AsyncEdsnPie.from_env(file=file, **arguments))
        return client

    def _wrap(self, client: AsyncEdsnPie) -> None:
        self._client = client
        self._bridge = Bridge(
            client, cut="Nothing was changed at the venue; a notification that you were not done with comes again."
        )
        self.profile: Profile = client.profile

    def warm_up(self) -> None:
        """Do now what the first call would otherwise wait for: parse the key and fetch a token."""
        self._bridge.call(self._client.warm_up)

    def token(self) -> str:
        """An access token, for calls that gridwire does not make. It is a secret, and lives minutes: do not keep it."""
        return self._bridge.call(self._client.token)

    def examine(self) -> list[Finding]:
        """Look at the set-up: key, clocks, identity provider, token and its claims, API, broker and queue.

        Reads no ticket and takes no notification. Each `Finding` says what was looked at and whether it is as it should
        be; none holds a secret.
        """
        return self._bridge.call(self._client.examine)

    def get_ticket(self, ticket_id: str) -> Ticket:
        """One ticket. Raises `EdsnNotFound`, `EdsnPermissionError`, or another leaf of `EdsnError`."""
        return self._bridge.call(self._client.get_ticket, ticket_id)

    def list_comments(self, ticket_id: str) -> list[Comment]:
        """Every comment of a ticket, however many pages they take. All or an error: never a part of them."""
        return self._bridge.call(self._client.list_comments, ticket_id)

    def get_comment(self, ticket_id: str | None, comment_id: str) -> Comment:
        """One comment. ``ticket_id`` may be None where the path of comments does without it (``comment_path``)."""
        return self._bridge.call(self._client.get_comment, ticket_id, comment_id)

    def fetch(self, notification: Notification) -> Ticket | Comment:
        """The ticket or comment that a notification is about.

        A ``dataref`` in it is used if it leads to the configured API over https, and refused otherwise
        (`EdsnForeignReference`): the token goes nowhere else. Raises `InvalidInput` for an `UnknownNotification`.
        """
        return self._bridge.call(self._client.fetch, notification)

    def notifications(self, options: ConsumerOptions | None = None) -> Consumer:
        """The notifications of new tickets and comments, as an endless iterator; each is to be entered.

        ::

            for item in pie.notifications():
                with item as told:      # accepted when the block ends well, kept when it raises
                    ...

        It also yields what happens to the link: see `gridwire.edsn_pie.stream`. Taking a notification removes it from the
        queue, which several processes share. Raises `ReadOnly`, `Unconfirmed`, `MissingExtra` without the extra ``edsn``,
        and `ConfigurationError` where no broker and queue are named.
        """
        return Consumer(self._bridge, self._bridge.run(self._client.notifications, options))

    def peek(self, most: int = 20, *, quiet_s: float = 2.0) -> list[Notification]:
        """The notifications that wait in the queue, up to ``most`` (1,000 at most), without taking any.

        They are given back to the queue before this returns, and come to whoever reads it next; meanwhile no other reader is
        given them. It looks until none has come for ``quiet_s`` seconds. Works with ``read_only`` too, and leaves an inbox
        alone. Raises `InvalidInput`, what `notifications` raises, and what ends its stream.
        """
        return self._bridge.call(self._client.peek, most, quiet_s=quiet_s)

    def run(
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
        self._bridge.call(self._client.run, handler, concurrency=concurrency, options=options, on_event=on_event)

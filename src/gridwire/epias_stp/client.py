"""The async client of EPİAŞ STP. It wires the pieces together and groups the calls by noun."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import SecretStr

from gridwire import settings
from gridwire.auth.ticket_file import TicketFile
from gridwire.auth.tickets import TicketManager, TicketStats
from gridwire.epias_stp import models, rules
from gridwire.epias_stp.armed import Armed
from gridwire.epias_stp.broadcast import BroadcastSession, Message
from gridwire.epias_stp.calls import Caller, Policy
from gridwire.epias_stp.desk import StpDesk
from gridwire.epias_stp.earlier import REPEATED, earlier
from gridwire.epias_stp.enums import BidType
from gridwire.epias_stp.ledger import Ledger
from gridwire.epias_stp.models import BroadcastEndpoint, EmptyRequestBody
from gridwire.epias_stp.operations import OPERATIONS
from gridwire.epias_stp.profile import PREFIX, TABLE, Account, Profile, StpSettings, account_of, check_profile
from gridwire.epias_stp.resolve import Resolver
from gridwire.epias_stp.services import (
    Bids,
    ContractConfigurations,
    ContractGates,
    Contracts,
    ContractStatuses,
    MarketPrices,
    Matches,
    Payments,
)
from gridwire.errors import ConfigurationError, InvalidInput, ProtocolError, WrongLoop
from gridwire.intents.guard import Limits
from gridwire.observe.events import Events, Listener
from gridwire.observe.redact import safe_url
from gridwire.outcome import Outcome, Rejected, Unknown
from gridwire.transport.http import HttpTransport
from gridwire.transport.lanes import LaneLimits, Lanes
from gridwire.transport.tls import Network, refuse_cleartext
from gridwire.transport.websocket import Stream

SILENCE_S = 60.0
"""The broadcaster's heart-beat period is not documented; a minute without a frame counts as a dead connection."""

_OPTIONS = (
    "application", "language", "message_format", "proxy", "ca_bundle", "client_cert", "client_cert_passphrase", "timeout", "read_only",
    "exclusive", "confirmed",
    "ticket_file", "journal", "journal_durability",
)  # fmt: skip
"""The settings that are arguments of the client; the others say where and who."""


class EpiasStp:
    """A session with STP, as an async context manager bound to the event loop it was opened on.

    ``account`` says where and who: from a `Sandbox`, or built by `from_env`. Nothing is asked of the venue before the
    first call.

    ``application`` is the name in the venue's log; ``language`` (``tr-tr``, ``en-us``) that of its texts;
    ``message_format`` is ``json`` or ``xml``. ``read_only`` refuses every call that changes something.
    ``exclusive`` declares that all bids of your organisation are entered through this journal: no other machine, program or
    person enters, changes or cancels any. Only then can an own mark or an own trade prove what became of a call whose answer
    was lost; without it what could be somebody else's stays `Unknown`. ``confirmed``
    lists the uncertain profile fields that you have checked with the venue (needed in production: ``cas_url`` before
    anything, because every call may have to log in, the others before a call that changes something). ``proxy``,
    ``ca_bundle``, ``client_cert``, ``client_cert_passphrase`` and ``timeout`` (seconds for one attempt) are as in
    `gridwire.transport.tls.Network`.

    ``resend_on_security_error`` repeats a write once after a SECURITYERROR that drew a ticket older than 10 s,
    ``retry_cancel`` a cancellation once where no readable answer came, or HTTP 5xx or SYSTEMERROR, with another 10 s to
    leave: both are off, and nothing else is ever sent twice.
    ``ticket_file`` lets session and login budget survive the process (True for the usual place, or a path).
    ``journal`` is the directory in which every call that changes something is written down before it leaves: the
    usual place if None; a sandbox's own folder lives as long as the client. With ``journal_durability="power"`` each line is
    on the disk before its call leaves, so that it survives a power cut too: an order then waits for the disk.
    ``on_event`` is told what happens.
    """

    def __init__(
        self,
        account: Account,
        *,
        application: str = "gridwire",
        language: Literal["tr-tr", "en-us"] = "tr-tr",
        message_format: Literal["json", "xml"] = "json",
        proxy: str | None = None,
        ca_bundle: str | None = None,
        client_cert: str | None = None,
        client_cert_passphrase: SecretStr | str | None = None,
        timeout: float = 10.0,
        trust_env: bool = False,
        read_only: bool = False,
        exclusive: bool = False,
        confirmed: Collection[str] = (),
        resend_on_security_error: bool = False,
        retry_cancel: bool = False,
        ticket_file: bool | str | Path = False,
        journal: str | Path | None = None,
        journal_durability: Literal["process", "power"] = "process",
        on_event: Listener | None = None,
    ) -> None:
        if not isinstance(account, Account):
            raise ConfigurationError(
                'EpiasStp takes an account: Sandbox(...).epias_stp, or EpiasStp.from_env(environment="test", …) for a '
                f"real one. This is a {type(account).__name__}."
            )
        check_profile(account.profile)
        self.profile: Profile = account.profile
        self._network = Network(
            proxy=proxy, ca_bundle=ca_bundle, ca_pem=account.ca_pem, client_cert=client_cert,
            client_cert_passphrase=client_cert_passphrase, timeout_s=timeout, trust_env=trust_env,
        )  # fmt: skip
        self._http = HttpTransport(self._network)
        self._tickets = _tickets(self._http, account, _file(ticket_file), on_event)
        self._armed = Armed(self._tickets)
        policy = Policy(
            application=application, language=language, message_format=message_format, read_only=read_only,
            confirmed=settings.known_fields(confirmed, account.profile.facts),
            resend_on_security_error=resend_on_security_error, retry_cancel=retry_cancel,
        )  # fmt: skip
        self._events = Events(on_event)
        self._policy = policy
        self._ledger = _ledger(account, journal, journal_durability, exclusive, self._events)
        self._caller = caller = Caller(self._http, self._tickets, account.profile, policy, self._ledger, self._events)
        self._desk_open = False
        self._streams: list[Stream[Message]] = []
        self._resolver = Resolver(self._ledger, caller, self._events, late_until_s=2 * account.profile.st_ttl_s)
        self.bids: Bids = Bids(caller, self._ledger, self._resolver)
        self.contracts: Contracts = Contracts(caller)
        self.contract_configuration: ContractConfigurations = ContractConfigurations(caller)
        self.contract_gates: ContractGates = ContractGates(caller)
        self.contract_statuses: ContractStatuses = ContractStatuses(caller)
        self.market_prices: MarketPrices = MarketPrices(caller)
        self.matches: Matches = Matches(caller)
        self.payments: Payments = Payments(caller)

    @classmethod
    def from_env(cls, *, file: Path | None = None, **arguments: Any) -> Self:
        """A client from settings: ``arguments`` outrank the environment, which outranks ``gridwire.toml`` and the keyring.

        Settings are named as in `StpSettings`, and in the environment with the prefix ``GRIDWIRE_EPIAS_STP_``. Other
        arguments of the constructor pass through. The environment must be named: there is no default. Raises
        `ConfigurationError` naming the setting.
        """
        known = {name: arguments.pop(name) for name in list(arguments) if name in StpSettings.model_fields}
        found = settings.load(StpSettings, prefix=PREFIX, table=TABLE, overrides=known, file=file)
        options = {name: getattr(found, name) for name in _OPTIONS}
        return cls(account_of(found), **options, **arguments)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for stream in self._streams:
                await stream.aclose()
            await self._tickets.aclose()
        finally:
            try:
                await self._http.__aexit__(kind, error, trace)
            finally:
                await self._ledger.aclose()

    async def warm_up(self) -> None:
        """Do now what the first call would otherwise wait for: open the journal, log in, build the readers of answers.

        Tickets are kept ready from then on, until `cool_down` or the client's end. Raises `Unconfirmed` at production as
        every call does.
        """
        self._caller.check_login()
        await asyncio.to_thread(models.build)
        if not self._policy.read_only:
            await self._ledger.open()
        await self._armed.want()

    async def cool_down(self) -> None:
        """Take one `warm_up` back: no tickets are kept ready any more, unless an open desk needs them."""
        await self._armed.release()

    def ticket_stats(self) -> TicketStats:
        """Counts and state of the service tickets: logins, tickets fetched and wasted, tickets ready now."""
        return self._tickets.stats()

    async def logout(self) -> None:
        """End the CAS session once the requests under way have an answer (waiting up to 30 s).

        Tickets not yet used die with it, also those of other programs that share the session. The next call logs in again,
        which gridwire allows a minute after the last login.
        """
        await self._armed.end()
        await self._caller.finished()
        await self._tickets.logout()

    def unknown(self) -> list[Unknown]:
        """The calls whose outcome is not known, oldest first: of this client, and what a crash left of earlier ones.

        Raises `JournalError` where the journal that was opened is not there any more.
        """
        self._ledger.check()
        return list(self._ledger.unknown.values())

    async def earlier(self, *refused: Rejected) -> list[Outcome] | None:
        """What became of the call that was made before ``refused``, under the same ``client_ref`` or transactionId.

        ``refused`` are all outcomes of one call, with the code ``client_ref`` or ``transaction_id``. None where the earlier
        call said something else: what was refused is then certainly not at the venue. The venue is not asked. Raises
        `InvalidInput` for any other outcome, and `JournalError`.
        """
        if not refused or any(one.code not in REPEATED or one.intent is None for one in refused):
            raise InvalidInput("earlier() takes what was Rejected with the code client_ref or transaction_id.")
        return earlier(await self._ledger.rows(), refused)

    def desk(
        self,
        *,
        contracts: Collection[str] | None = None,
        bid_type: BidType | str = BidType.STANDARD_MATCH,
        limits: Limits | None = None,
        order_transport: Literal["lane", "httpx"] | None = None,
        lanes: LaneLimits | None = None,
    ) -> StpDesk:
        """A desk for entering bids fast, as an async context manager; one per client at a time.

        ``contracts`` are the only ones it may trade (None: any); ``limits`` are its guard's. Orders go in the client's
        ``message_format`` over warm lanes; over httpx with ``order_transport="httpx"`` or a proxy. Raises `ReadOnly` and
        `Unconfirmed` as a bid would.
        """
        self._caller.refuse(OPERATIONS["bid_save"])
        kind = rules.type_of_bid(bid_type)
        names = (
            None
            if contracts is None
            else [rules.name_text(n, "contracts") for n in rules.listed(contracts, "contracts")]
        )
        if order_transport not in (None, "lane", "httpx"):
            raise ConfigurationError(f'order_transport is "lane" or "httpx", not {order_transport!r}.')
        if order_transport == "lane" and self._network.proxy is not None:
            raise ConfigurationError(
                'A lane goes to the venue directly, past the proxy you configured. Leave order_transport="lane" out.'
            )
        chosen = order_transport or ("httpx" if self._network.proxy or self._network.trust_env else "lane")
        if chosen == "httpx" and order_transport is None:
            self._events.emit(
                "desk.httpx",
                "A proxy is configured, so orders go over httpx and not over warm lanes; they take longer.",
            )
        if self._policy.resend_on_security_error or self._policy.retry_cancel:
            self._events.emit(
                "desk.one_attempt",
                "resend_on_security_error and retry_cancel hold for stp.bids and the operator's calls: a desk sends each "
                "order and each cancellation once.",
            )
        return StpDesk(
            caller=self._caller,
            tickets=self._tickets,
            armed=self._armed,
            ledger=self._ledger,
            resolver=self._resolver,
            orders_over=self._http if chosen == "httpx" else self._lanes(lanes),
            limits=limits or Limits(),
            contracts=names,
            bid_type=kind,
            events=self._events,
            on_open=self._set_desk_open,
        )

    def _lanes(self, limits: LaneLimits | None) -> Lanes:
        def unrequested(key: str | None) -> None:
            self._events.emit(
                "lane.unrequested",
                "Bytes that no call had asked for came on an order connection, which was closed. STP, or something in front of "
                f"it, may answer twice; the last call on it had the transactionId {key}: look at that bid.",
                level=logging.WARNING,
                transaction_id=key,
            )

        return Lanes(self.profile.stp_url, self._network, limits, on_unrequested=unrequested)

    def _set_desk_open(self, is_open: bool) -> None:
        if is_open and self._desk_open:
            raise ConfigurationError(
                "This client has an open desk already; one desk per account keeps one set of limits."
            )
        self._desk_open = is_open

    def broadcast(self, *, silence_s: float = SILENCE_S) -> Stream[Message]:
        """What the market tells as it happens, as an endless async iterator of `Message` and `Connection` events.

        ``silence_s`` without any frame is a lost connection; each new one asks for the address anew, with a new ticket.
        """

        async def dial() -> tuple[str, dict[str, str]]:
            endpoint = await self._caller.read("broadcaster_endpoint_get", EmptyRequestBody(), BroadcastEndpoint)
            if not endpoint.broadcast_address:
                raise ProtocolError("STP named no address for its broadcast; it is asked again.")
            _refuse_unencrypted(endpoint.broadcast_address)
            return endpoint.broadcast_address, {header.name: header.value for header in endpoint.headers}

        if self._http.closed:
            raise WrongLoop("This client is not open: use it inside `async with`.")
        stream: Stream[Message] = Stream(dial, lambda: BroadcastSession(silence_s), self._network)
        self._streams.append(stream)
        return stream


def _tickets(
    http: HttpTransport, account: Account, file: TicketFile | None, on_event: Listener | None
) -> TicketManager:
    return TicketManager(
        http.send,
        cas_url=account.profile.cas_url,
        username=account.username,
        password=account.password,
        service=account.profile.service,
        st_ttl_s=account.profile.st_ttl_s,
        tgt_idle_s=account.profile.tgt_idle_s,
        ticket_file=file,
        on_event=on_event,
    )


def _ledger(
    account: Account,
    journal: str | Path | None,
    durability: Literal["process", "power"],
    exclusive: bool,
    events: Events,
) -> Ledger:
    if durability not in ("process", "power"):
        raise ConfigurationError(f'journal_durability is "process" or "power", not {durability!r}.')
    environment = account.profile.environment
    return Ledger(
        None if journal is None else settings.lasting_path(journal, "journal"),
        account=f"{environment}/{account.username}",
        throw_away=environment == "sandbox",
        durability=durability,
        exclusive=exclusive,
        events=events,
    )


def _file(choice: bool | str | Path) -> TicketFile | None:
    if choice is False:
        return None
    return TicketFile() if choice is True else TicketFile(settings.lasting_path(choice, "ticket_file"))


def _refuse_unencrypted(address: str) -> None:
    try:
        refuse_cleartext(address)
    except ConfigurationError:
        raise ConfigurationError(
            f"STP named an unencrypted address for its broadcast ({safe_url(address)}). gridwire speaks cleartext with this "
            "machine only, and the address is not yours to set: ask EPİAŞ support (the STP desk) for one with wss://. No "
            "order is affected, and contracts.depth and matches.of tell the same when asked."
        ) from None

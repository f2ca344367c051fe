"""Where EDSN Partners in Energie is, and how sure we are of each fact.

The venue's guide names the hosts, the portal and the token endpoint; its tables of claims, form fields, paths and message
shapes are lost in every copy that can be had. What stands in for them is marked as a `Fact`, and every one of those fields
can be replaced. Sources: docs/protocols/edsn_pie.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic import SecretStr

from gridwire.auth.client_assertion import AssertionOptions, KeySource
from gridwire.edsn_pie import broker_checks as checks
from gridwire.errors import ConfigurationError
from gridwire.settings import Fact

Environment: TypeAlias = Literal["sandbox", "test", "production"]
AmqpAuth: TypeAlias = Literal["plain_token", "xoauth2", "oauthbearer", "cbs", "auto"]

AMQP_AUTHS: tuple[AmqpAuth, ...] = ("plain_token", "xoauth2", "oauthbearer", "cbs", "auto")

_BASE = "/energy-market/market-participant/market-case/market-case-management/v1"

TOKEN_ENDPOINT, ISSUER = "token_endpoint", "issuer"


@dataclass(frozen=True, slots=True)
class AmqpSettings:
    """The broker of notifications. EDSN tells host and queue to each organisation; there is no default for either."""

    host: str
    address: str
    """Name of the queue, as EDSN gave it."""
    port: int = 5671
    tls: bool = True
    virtual_host: str | None = None
    """``hostname`` of the open frame; the host where None."""
    tunnel_to: str | None = None
    """The broker at the far end, where ``host`` and ``port`` are the near end of a tunnel: the name its certificate is for."""
    container_id: str | None = None
    """A new one per client where None."""
    auth: AmqpAuth = "plain_token"
    """How the token is handed over: as the password of SASL PLAIN, by SASL XOAUTH2 or OAUTHBEARER, or by a claim (CBS).

    ``auto``: by the first of OAUTHBEARER, XOAUTH2 and PLAIN that the broker offers.
    """
    cbs_type: str = "jwt"
    """What a claim says the token is, where ``auth`` is ``cbs``."""
    cbs_name: str | None = None
    """What a claim says the token is for; ``amqps://host/queue`` where None."""
    username: str | None = None
    """User of SASL; the client id where None."""
    idle_timeout_s: float = 60.0
    """A broker that is silent this long is lost; 0 switches that off."""
    patience_s: float = 300.0
    """So long a broker that refuses is tried again after it has worked, and one that was never reached; 0 not at all."""
    credit: int = 20
    """Most messages under way at once."""
    link_name: str | None = None
    """A new one per connection where None."""
    source_capabilities: tuple[str, ...] = ()
    desired_capabilities: tuple[str, ...] = ()
    connection_properties: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot work before the first connection is tried."""
        checks.check_required("host", self.host, "the name of the broker")
        checks.check_required("address", self.address, "the name of your queue")
        object.__setattr__(self, "host", checks.check_host(self.host))
        checks.check_whole("port", self.port, 1, 65_535)
        if not isinstance(self.tls, bool):
            raise ConfigurationError(f"amqp_tls is True or False, not {self.tls!r}.")
        checks.check_optional("virtual_host", self.virtual_host, "the host")
        checks.check_optional("tunnel_to", self.tunnel_to, "a broker that host and port lead to")
        if self.tunnel_to is not None:
            object.__setattr__(self, "tunnel_to", checks.check_host(self.tunnel_to, "tunnel_to"))
        checks.check_optional("container_id", self.container_id, "a new one")
        if self.auth not in AMQP_AUTHS:
            raise ConfigurationError(f"amqp_auth is one of {', '.join(AMQP_AUTHS)}, not {self.auth!r}.")
        checks.check_required("cbs_type", self.cbs_type, "what the token is called in a claim, jwt for most brokers")
        checks.check_optional("cbs_name", self.cbs_name, "the broker's address with the queue")
        checks.check_optional("username", self.username, "the client id")
        checks.check_seconds("idle_timeout_s", self.idle_timeout_s)
        checks.check_seconds("patience_s", self.patience_s)
        checks.check_whole("credit", self.credit, 1, 10_000, " messages")
        checks.check_optional("link_name", self.link_name, "a new one")
        checks.check_words("source_capabilities", self.source_capabilities)
        checks.check_words("desired_capabilities", self.desired_capabilities)
        checks.check_properties(self.connection_properties)

    @property
    def far_host(self) -> str:
        """The name of the broker itself, wherever it is reached."""
        return self.tunnel_to or self.host

    @property
    def place(self) -> str:
        """Host and port in one text, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class IdPointers:
    """How a notification is read: where its ids are looked for, in this order, as JSON pointers (RFC 6901), and its types.

    They point into the event: its attributes, and its payload under ``/data``; for a plain JSON body into the body, which
    then is no event. ``/id`` counts in a plain body only, as an event's ``id`` is its own and not the ticket's.
    """

    ticket: tuple[str, ...] = ("/data/ticketId", "/data/ticket/id", "/ticketId", "/data/id", "/id", "/subject")
    """Of a ticket-created notification: the ticket."""
    comment: tuple[str, ...] = ("/data/commentId", "/commentId", "/data/comment/id", "/data/id", "/id", "/subject")
    """Of a comment-created notification: the comment."""
    ticket_of_comment: tuple[str, ...] = ("/data/ticketId", "/data/ticket/id", "/ticketId", "/data/comment/ticketId")
    """Of a comment-created notification: its ticket."""
    ticket_types: tuple[str, ...] = ()
    """Types that tell of a new ticket, whole and in any case, besides those that end in ``ticket.created``."""
    comment_types: tuple[str, ...] = ()
    """Types that tell of a new comment, likewise."""

    def __post_init__(self) -> None:
        """Refuse what is no pointer, and a type that would mean both."""
        both = set(map(str.casefold, self.ticket_types)) & set(map(str.casefold, self.comment_types))
        if both or not all(name.strip() for name in (*self.ticket_types, *self.comment_types)):
            raise ConfigurationError(
                f"ticket_types and comment_types both name {', '.join(sorted(both))}: a notification tells of one of them."
                if both
                else "ticket_types and comment_types hold an empty type."
            )
        for pointer in (*self.ticket, *self.comment, *self.ticket_of_comment):
            if not pointer.startswith("/"):
                raise ConfigurationError(
                    f"{pointer!r} is no JSON pointer: it begins with a slash, as /data/ticketId does."
                )


@dataclass(frozen=True, slots=True)
class Profile:
    """One environment of the venue. Replace single fields with `dataclasses.replace`."""

    environment: Environment
    idp_url: str
    """Scheme and host of the identity provider, without a path."""
    rest_url: str
    """Scheme and host of the REST API, without a path."""
    portal_url: str | None = None
    """Where people make service accounts; for texts only."""
    token_path: str = "/am/oauth2/access_token"  # noqa: S105 - a path
    issuer_path: str = "/am/oauth2"
    """``idp_url`` with it is the issuer; ``/`` for one at the root of its host. It matters for ``audience="issuer"`` alone."""
    audience: str = TOKEN_ENDPOINT
    """``aud`` of assertions: ``token_endpoint``, ``issuer``, or any other text as it is."""
    scope: str | None = "roles"
    """What is asked for; None leaves the field out."""
    assertion: AssertionOptions = field(default_factory=AssertionOptions)
    ticket_path: str = _BASE + "/tickets/{ticket_id}"
    comments_path: str = _BASE + "/tickets/{ticket_id}/comments"
    comment_path: str = _BASE + "/tickets/{ticket_id}/comments/{comment_id}"
    """May do without ``{ticket_id}``."""
    page_size: int | None = 100
    """``_limit`` of lists; None leaves it out."""
    sender_id: str | None = None
    """``X-Sender-ID``, the caller's EAN-13; left out where None."""
    role: str | None = None
    """``X-Role``; left out where None."""
    ticket_id_names: tuple[str, ...] = ("id", "mRID", "mrid", "ticketId", "ticketMrid")
    """Members of the API's ticket that may hold its id; the first that is there counts."""
    comment_id_names: tuple[str, ...] = ("id", "mRID", "mrid", "commentId", "commentMrid")
    """Members of the API's comment that may hold its id."""
    pointers: IdPointers = field(default_factory=IdPointers)
    amqp: AmqpSettings | None = None
    """None: no notifications, REST alone."""
    facts: Mapping[str, Fact] = field(default_factory=dict, repr=False)
    """Fields below high confidence, by name."""

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return self.idp_url + self.token_path

    @property
    def assertion_audience(self) -> str:
        """The ``aud`` that assertions carry."""
        if self.audience == TOKEN_ENDPOINT:
            return self.token_url
        return self.issuer if self.audience == ISSUER else self.audience

    @property
    def issuer(self) -> str:
        """The identity provider's own name. At the root of a host it ends without a slash, as OpenID providers have it."""
        return self.idp_url + ("" if self.issuer_path == "/" else self.issuer_path)


_ASK = "EDSN's service desk (Partners in Energie), with the name of your service account"
_LOST = "the venue's guide has lost the table that names it in every copy we could read"

_UNCERTAIN = {
    "audience": Fact(
        "medium", f"{_LOST}; the token endpoint is what a public sample sends to the same identity provider", _ASK
    ),
    "scope": Fact("medium", f"{_LOST}; 'roles' is what a public sample asks the same identity provider for", _ASK),
    "assertion": Fact(
        "medium", f"{_LOST}; RS256 without kid and 300 s are a public sample's for the same identity provider", _ASK
    ),
    "ticket_path": Fact(
        "low", "it is put together from the sector's list of API names, and the version in it is a guess", _ASK
    ),
    "comments_path": Fact("low", "it is a guess after the path of tickets", _ASK),
    "comment_path": Fact("low", "it is a guess after the path of tickets", _ASK),
    "page_size": Fact("low", "paging is the sector's convention, and whether this API pages is not known", _ASK),
    "ticket_id_names": Fact("low", "no sample of a ticket is public", _ASK),
    "comment_id_names": Fact("low", "no sample of a comment is public", _ASK),
    "pointers": Fact("low", "no sample of a notification is public", _ASK),
    "amqp_auth": Fact("low", "nothing public says how the broker wants the token", _ASK),
    "amqp_port": Fact("low", "nothing public names the broker; 5671 is the port of AMQP over TLS", _ASK),
}

PRODUCTION = Profile(
    environment="production",
    idp_url="https://idp.cmf.energysector.nl",
    rest_url="https://api.cmf.energysector.nl",
    portal_url="https://portal.idp.cmf.energysector.nl/gegevens",
    facts=_UNCERTAIN,
)

TEST = Profile(
    environment="test",
    idp_url="https://acc.idp.cmf.energysector.nl",
    rest_url="https://api.acc.cmf.energysector.nl",
    portal_url="https://portal.idp.acc.cmf.energysector.nl/gegevens",
    facts=_UNCERTAIN,
)
"""EDSN calls it acceptance."""

PRESETS: Mapping[str, Profile] = {"test": TEST, "production": PRODUCTION}


@dataclass(frozen=True, slots=True)
class Account:
    """One service account at one environment. ``ca_pem`` is an extra certificate authority (the sandbox's own, with TLS)."""

    profile: Profile
    client_id: str
    """The service account's id."""
    private_key: KeySource = field(repr=False)
    """As `gridwire.auth.client_assertion.KeySource`: PEM text, a path, a parsed key, or a signer."""
    passphrase: SecretStr | None = field(default=None, repr=False)
    ca_pem: str | None = field(default=None, repr=False)

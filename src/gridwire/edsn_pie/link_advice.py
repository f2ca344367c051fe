"""What to do about a broker that refuses, in words: for the errors that end a stream, for its events, and for doctor.

Pure functions. Every text names the settings that may be wrong; none holds the token.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import SecretStr

from gridwire.edsn_pie import claims
from gridwire.edsn_pie.errors import EdsnAuthError, EdsnConfigError, EdsnError
from gridwire.edsn_pie.link_errors import EdsnLinkError, EdsnTlsError
from gridwire.edsn_pie.profile import AmqpSettings
from gridwire.edsn_pie.reconnect import UNAUTHORIZED, Action, action_on
from gridwire.transport.amqp_failure import AmqpFailure

KEPT = "Nothing was lost: notifications wait in the queue, for a day each."
PRECONDITION = "amqp:precondition-failed"

# OpenSSL's numbers of what may be wrong with a certificate (x509_vfy.h).
_OTHER_NAME = (62, 64)
_OTHER_TIME = (9, 10)

_ERRORS: dict[Action, type[EdsnError]] = {
    Action.STOP_TLS: EdsnTlsError,
    Action.NEW_LOGIN: EdsnAuthError,
    Action.STOP_MECHANISM: EdsnConfigError,
    Action.STOP_CLAIM: EdsnConfigError,
    Action.STOP_PLACE: EdsnConfigError,
}


def error_of(
    failure: AmqpFailure, action: Action, settings: AmqpSettings, token: SecretStr, now: datetime, tried_s: float = 0.0
) -> EdsnError:
    """The error that ends a stream. ``tried_s`` is how long the broker has been tried in vain."""
    broker, said = settings.place, str(failure.condition or failure).rstrip(".")
    match action:
        case Action.NEW_LOGIN:
            what = f"The broker {broker} refused the token, and then one fresh from the identity provider."
        case Action.STOP_REDIRECT:
            what = f"The broker {broker} sends us elsewhere: {failure.condition}."
        case Action.STOP_QUEUE:
            what = f"The broker {broker} does not let us read the queue {settings.address!r}: {said}."
        case Action.STOP_VIRTUAL_HOST:
            what = f"The broker {broker} knows no virtual host {virtual_host(settings)!r}: {said}."
        case _:
            what = str(failure)
    tried = f" It was tried again for {tried_s:.0f} s." if tried_s >= 1 else ""
    text = f"{what}{tried} {advice(failure, settings, token, now, action)} {KEPT}"
    return _ERRORS.get(action, EdsnLinkError)(text)


def advice(
    failure: AmqpFailure, settings: AmqpSettings, token: SecretStr, now: datetime, action: Action | None = None
) -> str:
    """What to do about ``failure``, which asks for ``action``."""
    match action or action_on(failure):
        case Action.STOP_TLS:
            return _of_certificate(failure, settings)
        case Action.NEW_LOGIN:
            return _of_login(failure, settings, token, now)
        case Action.STOP_MECHANISM:
            return "Set amqp_auth to a way that is offered."
        case Action.STOP_CLAIM:
            return (
                f"The broker {settings.place} seems to take no token by a claim (CBS): set amqp_auth to another way. If it "
                "does take them, it may want another amqp_cbs_type or amqp_cbs_name."
            )
        case Action.STOP_REDIRECT:
            return "That is not followed by itself, because the token would go there: ask EDSN, then set amqp_host."
        case Action.STOP_VIRTUAL_HOST:
            return f"Ask EDSN for its name and set amqp_virtual_host (now: {virtual_host(settings)!r})."
        case Action.STOP_SETTLED:
            return (
                f"Ask EDSN to let the queue {settings.address!r} send unsettled messages, and check that amqp_address names a "
                "queue: topics and multicast addresses of some brokers send like that."
            )
        case Action.STOP_QUEUE:
            return _of_queue(failure, settings, token)
        case Action.STOP_BROKER:
            return "Ask EDSN's service desk."
        case Action.STOP_PLACE:
            return place(failure, settings)
        case _:
            return _passing(failure, settings)


def place(failure: AmqpFailure, settings: AmqpSettings) -> str:
    """What to check about a broker that was never reached."""
    if failure.cause == "proxy":
        return f"Check the setting proxy, whether it lets {settings.place} through, and amqp_host and amqp_port."
    tls = "" if settings.tls else ", amqp_tls (now off)"
    return f"Check amqp_host and amqp_port ({settings.place}){tls}, and whether a firewall lets this machine through."


def virtual_host(settings: AmqpSettings) -> str:
    """What is told as ``hostname`` when the connection is opened."""
    return settings.virtual_host or settings.far_host


def _passing(failure: AmqpFailure, settings: AmqpSettings) -> str:
    """About trouble that may pass by itself."""
    if failure.stage not in ("attach", "stream"):
        return place(failure, settings)
    if failure.condition is not None and failure.condition.name == PRECONDITION:
        return (
            "Brokers end a link like that when a message was held for too long without being accepted (RabbitMQ: "
            "consumer_timeout, 30 min): let handlers end sooner, keep notifications in an inbox, or lower amqp_credit."
        )
    return "Try again; if it stays so, ask EDSN's service desk."


def _of_certificate(failure: AmqpFailure, settings: AmqpSettings) -> str:
    if failure.verify_code in _OTHER_NAME:
        return (
            f"Check amqp_host: it must be a name that the certificate holds, and {settings.far_host} is none. For a tunnel, "
            "amqp_tunnel_to is that name."
        )
    if failure.verify_code in _OTHER_TIME:
        return "Check this machine's clock; an expired certificate is for EDSN to renew."
    return (
        f"Check amqp_host ({settings.far_host}). If the broker has an authority of its own, name a PEM file with it in "
        "ca_bundle. That file replaces the built-in authorities, for the identity provider and the API too: put both into "
        "it, as by cat $(python -m certifi) broker-ca.pem > all.pem."
    )


def _of_login(failure: AmqpFailure, settings: AmqpSettings, token: SecretStr, now: datetime) -> str:
    offered = f" offers {', '.join(failure.offered)}, and" if failure.offered else ""
    text = (
        f"The broker {settings.place}{offered} was given the token by amqp_auth = {settings.auth}. "
        f"{claims.shown(token.get_secret_value(), now)} Ask EDSN whether the service account has the AMQP consumer role of "
        f"{settings.address}, and how the broker wants the token."
    )
    if failure.stage == "open":
        text += f" The login itself went well, so amqp_virtual_host may be wrong (now: {virtual_host(settings)!r})."
    return text


def _of_queue(failure: AmqpFailure, settings: AmqpSettings, token: SecretStr) -> str:
    address = settings.address
    if failure.condition is not None and failure.condition.name == PRECONDITION:
        return (
            f"The broker takes {address!r} (amqp_address) for a queue of another kind than it is. {_forms(address)} It may also "
            "be read by one reader alone, or want other amqp_source_capabilities."
        )
    text = (
        f"Check that {address!r} (amqp_address) is the name of your queue, letter for letter, and that the service account "
        f"has the AMQP consumer role for it. {_forms(address)} {claims.scopes_shown(token.get_secret_value())}"
    )
    if failure.scope == "connection" and failure.condition is not None and failure.condition.name == UNAUTHORIZED:
        text += (
            f" The broker closed the whole connection, so amqp_virtual_host may be wrong (now: {virtual_host(settings)!r}; "
            "RabbitMQ wants vhost:NAME)."
        )
    return text


_PREFIXES = ("/amq/queue/", "/queues/", "/queue/", "queue://")


def _forms(address: str) -> str:
    """How the makes of brokers spell the name of a queue."""
    prefix = next((one for one in _PREFIXES if address.startswith(one)), "")
    bare = address.removeprefix(prefix)
    return (
        f"Brokers spell a queue differently: {bare!r} (Artemis, ActiveMQ, Qpid, Service Bus), '/amq/queue/{bare}' (RabbitMQ "
        f"3), '/queues/{bare}' (RabbitMQ 4)."
    )

"""How a client reaches its venue: proxy, time-out, authorities, client certificate; and the TLS contexts made of these.

Building a context reads and parses a whole CA bundle (20 to 77 ms), which would stall every heart-beat on the loop. So it is
done in a thread, once per setting, and again when a file has changed. Verification cannot be switched off; what can be
given is a bundle, one more authority, and a client certificate.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import re
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from gridwire.errors import ConfigurationError
from gridwire.flaws import flaw
from gridwire.settings import existing

if TYPE_CHECKING:
    from pydantic import SecretStr

_log = logging.getLogger("gridwire")

MOST_CONTEXTS = 32


@dataclass(frozen=True, slots=True)
class Network:
    """How a client reaches its venue.

    ``ca_bundle`` is the path of a PEM file that replaces the built-in authorities; ``ca_pem`` adds one authority to
    them; ``client_cert`` is the path of a PEM file with certificate and key, ``client_cert_passphrase`` opens a key that is
    encrypted. Files that are renewed under the same path are read again for the next connection. ``proxy`` is an
    ``http://`` URL; proxies from the environment are used only if ``trust_env`` is set. ``timeout_s`` bounds one attempt as
    a whole. ``min_tls`` is the oldest version of TLS that is spoken.
    """

    proxy: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None
    ca_pem: str | None = field(default=None, repr=False)
    client_cert: str | None = None
    client_cert_passphrase: SecretStr | str | None = field(default=None, repr=False)
    timeout_s: float = 10.0
    trust_env: bool = False
    min_tls: Literal["1.2", "1.3"] = "1.2"

    def __post_init__(self) -> None:
        """Refuse what cannot work before the first connection is tried."""
        if type(self.timeout_s) not in (int, float) or not 0 < self.timeout_s < math.inf:
            raise ConfigurationError(f"timeout must be a number of seconds above 0, not {self.timeout_s!r}.")
        for name in ("ca_bundle", "client_cert"):
            path = getattr(self, name)
            if path is not None:
                object.__setattr__(self, name, str(existing(path, name, "file")))
        if self.proxy is not None and not _usable(self.proxy):
            raise ConfigurationError("proxy must be an http:// or https:// address.")

    def proxy_for(self, host: str, scheme: str = "https") -> str | None:
        """The proxy to go through to ``host``, whichever library connects. Raises `ConfigurationError`.

        From the environment, with ``trust_env``: ``HTTPS_PROXY`` (``HTTP_PROXY`` where ``scheme`` is http or ws), else
        ``ALL_PROXY``; a host that is in ``NO_PROXY`` is reached directly.
        """
        if self.proxy is not None or not self.trust_env or proxy_bypass(host):
            return self.proxy
        proxies = getproxies()
        name = {"ws": "http", "wss": "https"}.get(scheme, scheme)
        name = name if name in proxies else "all"
        found = proxies.get(name)
        if not found:
            return None
        proxy = found if "://" in found else f"http://{found}"
        if not _usable(proxy):
            raise ConfigurationError(
                f"The proxy for {host} that the environment names in {name.upper()}_PROXY is no http:// or https:// address, "
                "and gridwire goes through no other kind. Change the variable, add the host to NO_PROXY, or leave "
                "trust_env out and give proxy=. Nothing was sent."
            )
        return proxy


def _usable(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        return parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
    except ValueError:
        return False


# ---------------------------------------------------------------------------------------------------------------------
# Contexts

_Key: TypeAlias = tuple[str | None, str | None, str | None, str | None, str, bool]
_Stamps: TypeAlias = tuple[tuple[int, int, int] | None, ...]


class _Held(NamedTuple):
    stamps: _Stamps
    context: ssl.SSLContext
    current: bool
    """Whether it was made of the files with these stamps, and is not the one before because they cannot be loaded."""


_held: dict[_Key, _Held] = {}


async def ssl_context(network: Network, *, http: bool = True) -> ssl.SSLContext:
    """The shared context for ``network``, made of its files as they are now; ``http`` names HTTP/1.1 in the handshake.

    Raises `ConfigurationError` if a certificate file cannot be loaded.
    """
    key, stamps = _key(network, http), _stamps(network)
    held = _held.get(key)
    if held is None or held.stamps != stamps or not held.current:
        held = _Held(stamps, await asyncio.to_thread(_build, *key), True)
        _hold(key, held)
    return held.context


async def renewed_context(network: Network, *, http: bool = True) -> ssl.SSLContext:
    """The same for another connection of a client that is open.

    Files that were renewed and cannot be loaded, half-written ones for instance, are told in the log; the context made of
    those before goes on being used until they change again.
    """
    key, stamps = _key(network, http), _stamps(network)
    held = _held.get(key)
    if held is not None and held.stamps == stamps:
        return held.context
    try:
        return await ssl_context(network, http=http)
    except ConfigurationError as error:
        if held is None:
            raise
        _log.warning("tls.not_renewed: %s Connections go on with what was loaded before.", error)
        _hold(key, _Held(stamps, held.context, False))
        return held.context


def _hold(key: _Key, held: _Held) -> None:
    _held.pop(key, None)
    _held[key] = held
    if len(_held) > MOST_CONTEXTS:
        _held.pop(next(iter(_held)))


def _key(network: Network, http: bool) -> _Key:
    phrase = network.client_cert_passphrase
    if phrase is not None and not isinstance(phrase, str):
        phrase = phrase.get_secret_value()
    return network.ca_bundle, network.ca_pem, network.client_cert, phrase, network.min_tls, http


def _stamps(network: Network) -> _Stamps:
    return tuple(_stamp(path) for path in (network.ca_bundle, network.client_cert))


def _stamp(path: str | None) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path) if path is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_size, found.st_ino)


def _build(
    ca_bundle: str | None,
    ca_pem: str | None,
    client_cert: str | None,
    passphrase: str | None,
    min_tls: str,
    http: bool,
) -> ssl.SSLContext:
    import certifi

    try:
        context = ssl.create_default_context(cafile=ca_bundle or certifi.where())
    except (ssl.SSLError, OSError) as error:
        raise _unusable("ca_bundle", ca_bundle or certifi.where(), error, "CERTIFICATE") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if min_tls == "1.3" else ssl.TLSVersion.TLSv1_2
    if http:
        context.set_alpn_protocols(["http/1.1"])
    if ca_pem is not None:
        try:
            context.load_verify_locations(cadata=ca_pem)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigurationError(
                f"The account's authority (ca_pem) cannot be loaded: {_openssl_words(error)}. Nothing was sent."
            ) from None
    if client_cert is not None:
        _load_client(context, client_cert, passphrase)
    return context


def _load_client(context: ssl.SSLContext, path: str, passphrase: str | None) -> None:
    def asked() -> str:
        # Without a callback OpenSSL asks at the terminal, and waits there for ever.
        if passphrase is None:
            raise ConfigurationError(
                f"client_cert ({path}) cannot be loaded: its key is encrypted. Set client_cert_passphrase. Nothing was sent."
            )
        return passphrase

    try:
        context.load_cert_chain(path, password=asked)
    except ConfigurationError as error:
        raise error from None
    except ValueError:  # of Python's ssl; it does not quote it
        why = flaw(passphrase or "") or "is longer than OpenSSL takes"
        raise ConfigurationError(f"client_cert_passphrase {why}. Nothing was sent.") from None
    except (ssl.SSLError, OSError) as error:
        raise _unusable("client_cert", path, error, "CERTIFICATE", "PRIVATE KEY", phrase=passphrase) from None


def _unusable(setting: str, path: str, error: OSError, *needed: str, phrase: str | None = None) -> ConfigurationError:
    """The refusal of a PEM file that should have ``needed`` blocks, with what is wrong about this one."""
    return ConfigurationError(
        f"{setting} ({path}) cannot be loaded: {_wrong_with(path, error, needed, phrase)}. Nothing was sent."
    )


def _wrong_with(path: str, error: OSError, needed: tuple[str, ...], phrase: str | None) -> str:
    if not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno) if error.errno else type(error).__name__
    try:
        data = Path(path).read_bytes()
    except OSError as unread:
        return os.strerror(unread.errno) if unread.errno else type(unread).__name__
    blocks = re.findall(rb"-----BEGIN ([A-Z0-9 ]+)-----", data)
    if not blocks and data[:1] == b"0":  # 0x30: an ASN.1 sequence
        also = " or PKCS #12" if "PRIVATE KEY" in needed else ""
        return (
            f"it is in DER{also} form, and PEM is needed; openssl x509 -inform der (openssl pkcs12 -nodes) converts it"
        )
    for name in needed:
        if not any(block.endswith(name.encode()) for block in blocks):
            what = "private key" if name == "PRIVATE KEY" else "certificate"
            both = "; certificate and key belong into one file" if len(needed) > 1 else ""
            return f"it holds no {what} in PEM form{both}"
    if error.reason == "KEY_VALUES_MISMATCH":
        return "its key does not belong to its first certificate"
    if any(b"ENCRYPTED" in block for block in blocks) or b"Proc-Type: 4,ENCRYPTED" in data:
        found = flaw(phrase or "")
        hint = f"; the passphrase {found}" if found is not None else ""
        return f"client_cert_passphrase does not open its key ({_openssl_words(error)}){hint}"
    return _openssl_words(error)


def _openssl_words(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return f"OpenSSL says {reason.lower().replace('_', ' ')}" if reason else f"it is damaged ({type(error).__name__})"


_UNKNOWN_AUTHORITY = re.compile(r"(?i)issuer certificate|self[- ]signed|verify the first certificate")
_STRICT = re.compile(r"(?i)^missing |critical|key identifier|basic constraints|key usage|issuer name|empty")
# X509_V_FLAG_X509_STRICT, on by default since Python 3.13


def certificate_words(error: ssl.SSLCertVerificationError, ca_bundle: str | None) -> str:
    """Why a server's certificate was refused, and what to do about it."""
    why = str(error.verify_message).rstrip(".")
    words = f"its certificate cannot be trusted ({why})"
    if _UNKNOWN_AUTHORITY.search(why):
        if ca_bundle is not None:
            return f"{words}; {ca_bundle}, which ca_bundle names, has not the authority that issued it"
        return f"{words}; if your company inspects TLS, give its authority with ca_bundle="
    if _STRICT.search(why):
        return f"{words}; it, or its authority's, breaks RFC 5280, and has to be issued anew"
    return words


def is_loopback(host: str | None) -> bool:
    """Whether ``host`` is this machine by its literal address or by the name localhost."""
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_cleartext(url: str) -> None:
    """Raise `ConfigurationError` if ``url`` would carry tickets or orders unencrypted off this machine."""
    parts = urlsplit(url)
    if parts.scheme in ("http", "ws") and not is_loopback(parts.hostname):
        raise ConfigurationError(
            f"{parts.scheme}://{parts.hostname} is not encrypted; gridwire speaks cleartext with this machine only. Use "
            f"{'https' if parts.scheme == 'http' else 'wss'}://. Nothing was sent."
        )

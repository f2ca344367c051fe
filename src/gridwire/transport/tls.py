"""TLS contexts: built once per setting, off the event loop, and shared.

Building a context reads and parses a whole CA bundle (20 to 77 ms), which would stall every heart-beat on the loop.
Verification cannot be switched off; what can be given is a bundle, one more authority, and a client certificate.
"""

from __future__ import annotations

import asyncio
import functools
import math
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from gridwire.errors import ConfigurationError
from gridwire.settings import existing


@dataclass(frozen=True, slots=True)
class Network:
    """How a client reaches its venue.

    ``ca_bundle`` is the path of a PEM file that replaces the built-in authorities; ``ca_pem`` adds one authority to
    them; ``client_cert`` is the path of a PEM file with certificate and key. ``proxy`` is an ``http://`` URL; proxies
    from the environment are used only if ``trust_env`` is set. ``timeout_s`` bounds one attempt as a whole. ``min_tls`` is the oldest version of TLS that is spoken.
    """

    proxy: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None
    ca_pem: str | None = field(default=None, repr=False)
    client_cert: str | None = None
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

    def proxy_for(self, host: str) -> str | None:
        """The proxy to go through to ``host`` where the library that connects knows of none. Raises `ConfigurationError`."""
        if self.proxy is not None or not self.trust_env or proxy_bypass(host):
            return self.proxy
        found = getproxies().get("https") or getproxies().get("all")
        if found is None:
            return None
        proxy = found if "://" in found else f"http://{found}"
        if not _usable(proxy):
            raise ConfigurationError("The environment names a proxy that is no http:// or https:// address.")
        return proxy


def _usable(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        return parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
    except ValueError:
        return False


@functools.lru_cache(maxsize=32)
def _build(ca_bundle: str | None, ca_pem: str | None, client_cert: str | None, min_tls: str) -> ssl.SSLContext:
    import certifi

    try:
        context = ssl.create_default_context(cafile=ca_bundle or certifi.where())
        context.minimum_version = ssl.TLSVersion.TLSv1_3 if min_tls == "1.3" else ssl.TLSVersion.TLSv1_2
        if ca_pem is not None:
            context.load_verify_locations(cadata=ca_pem)
        if client_cert is not None:
            context.load_cert_chain(client_cert)
    except (ssl.SSLError, OSError) as error:
        what = client_cert if client_cert is not None else ca_bundle
        raise ConfigurationError(f"The certificates in {what} cannot be loaded: {error}.") from None
    return context


async def ssl_context(network: Network) -> ssl.SSLContext:
    """The shared context for ``network``. Raises `ConfigurationError` if a certificate file cannot be loaded."""
    return await asyncio.to_thread(_build, network.ca_bundle, network.ca_pem, network.client_cert, network.min_tls)


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

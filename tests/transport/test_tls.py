"""transport/tls.py: the file that is wrong is named, nobody is asked at a terminal, and renewed files are taken."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from pydantic import SecretStr

from gridwire.errors import ConfigurationError, NotSent
from gridwire.transport.amqp_client import AmqpClient, Broker
from gridwire.transport.amqp_failure import AmqpFailure
from gridwire.transport.exchange import Request
from gridwire.transport.http import HttpTransport, _describe
from gridwire.transport.lanes import Lanes
from gridwire.transport.tls import Network, certificate_words, renewed_context, ssl_context
from gridwire.transport.websocket import Stream
from tests.support.planted import PASSWORD
from tests.support.raw_server import http_answer, raw_server, read_request
from tests.transport.servers import Silent, port_of

AUTHORITY = trustme.CA()
LEAF = AUTHORITY.issue_cert("127.0.0.1")
ENCRYPTED = {
    "pkcs8": serialization.PrivateFormat.PKCS8,
    "traditional": serialization.PrivateFormat.TraditionalOpenSSL,
}


def client_file(folder: Path, *, form: str | None = None, phrase: str = PASSWORD, leaf: trustme.LeafCert = LEAF) -> str:
    """A file for ``client_cert``, its key encrypted in ``form``."""
    key = leaf.private_key_pem.bytes()
    if form is not None:
        parsed = serialization.load_pem_private_key(key, None)
        lock = serialization.BestAvailableEncryption(phrase.encode())
        key = parsed.private_bytes(serialization.Encoding.PEM, ENCRYPTED[form], lock)
    path = folder / "client.pem"
    path.write_bytes(key + leaf.cert_chain_pems[0].bytes())
    return str(path)


def file(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def beginning(path: str, size: int) -> bytes:
    return Path(path).read_bytes()[:size]


async def refusal(**given: Any) -> str:
    with pytest.raises(ConfigurationError, match=r"Nothing was sent\.$") as caught:
        await ssl_context(Network(**given))
    return str(caught.value)


# the passphrase


@pytest.mark.parametrize("form", ENCRYPTED)
async def test_a_passphrase_opens_the_key_and_without_it_the_setting_is_named(tmp_path: Path, form: str) -> None:
    path = client_file(tmp_path, form=form)
    assert await ssl_context(Network(client_cert=path, client_cert_passphrase=SecretStr(PASSWORD)))
    assert await ssl_context(Network(client_cert=path, client_cert_passphrase=PASSWORD))
    said = await refusal(client_cert=path)
    assert said.startswith(f"client_cert ({path}) cannot be loaded: its key is encrypted. Set client_cert_passphrase.")


async def test_a_wrong_passphrase_is_told_and_not_shown(tmp_path: Path) -> None:
    path = client_file(tmp_path, form="pkcs8", phrase="another")
    for wrong in (PASSWORD, "", "x" * 2000):
        network = Network(client_cert=path, client_cert_passphrase=SecretStr(wrong))
        with pytest.raises(ConfigurationError, match="client_cert_passphrase") as caught:
            await ssl_context(network)
        assert not wrong or wrong not in str(caught.value) + repr(network) + repr(Network(client_cert_passphrase=wrong))


@pytest.mark.parametrize("form", ENCRYPTED)
@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ("{}\r", "ends with a line end"),
        ("{}\n", "ends with a line end"),
        ('"{}"', "stands in quotes"),
        ("'{}' ", "stands in quotes"),
        ("\ufeff{}", "an invisible one"),
        ("{}\xa0", "a no-break space"),
        ("{}\ud800", "an invisible one"),
    ],
)
async def test_what_a_file_left_around_a_passphrase_is_told(tmp_path: Path, form: str, odd: str, said: str) -> None:
    text = await refusal(client_cert=client_file(tmp_path, form=form), client_cert_passphrase=odd.format(PASSWORD))
    assert "client_cert_passphrase" in text
    assert said in text
    assert PASSWORD not in text


async def test_a_passphrase_with_quotes_that_opens_the_key_is_taken(tmp_path: Path) -> None:
    path = client_file(tmp_path, form="pkcs8", phrase=f'"{PASSWORD}"')
    assert await ssl_context(Network(client_cert=path, client_cert_passphrase=f'"{PASSWORD}"'))


async def test_a_passphrase_that_is_not_needed_does_no_harm(tmp_path: Path) -> None:
    assert await ssl_context(Network(client_cert=client_file(tmp_path), client_cert_passphrase="x"))


def test_nobody_is_asked_at_a_terminal(tmp_path: Path) -> None:
    path = client_file(tmp_path, form="pkcs8")
    code = (
        "import asyncio; from gridwire.transport.tls import Network, ssl_context\n"
        f"try: asyncio.run(ssl_context(Network(client_cert={path!r})))\nexcept Exception as error: print(error)"
    )
    ours, theirs = pty.openpty()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, ours)
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, timeout=60, text=True,
            start_new_session=True, check=True,
        )  # fmt: skip
        os.close(theirs)
    assert "its key is encrypted" in done.stdout


def test_every_venue_takes_the_passphrase_from_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gridwire import settings
    from gridwire.edsn_pie.settings import PieSettings
    from gridwire.epias_stp.profile import StpSettings
    from gridwire.siooi.account import SiooiSettings

    monkeypatch.chdir(tmp_path)
    for schema, table in ((PieSettings, "edsn_pie"), (StpSettings, "epias_stp"), (SiooiSettings, "siooi")):
        prefix = f"GRIDWIRE_{table.upper()}_"
        monkeypatch.setenv(f"{prefix}CLIENT_CERT_PASSPHRASE", PASSWORD)
        found = settings.load(schema, prefix=prefix, table=table, overrides={})
        phrase = found.client_cert_passphrase  # type: ignore[attr-defined]
        assert isinstance(phrase, SecretStr)
        assert phrase.get_secret_value() == PASSWORD
        assert PASSWORD not in repr(found)


# which file is wrong


async def test_the_file_that_is_wrong_is_the_one_that_is_named(tmp_path: Path) -> None:
    client = client_file(tmp_path)
    der = file(tmp_path, "ca.cer", ssl.PEM_cert_to_DER_cert(AUTHORITY.cert_pem.bytes().decode()))
    words = file(tmp_path, "ca.txt", b"no certificate")
    authority = file(tmp_path, "ca.pem", AUTHORITY.cert_pem.bytes())
    key = file(tmp_path, "key.pem", LEAF.private_key_pem.bytes())
    other = AUTHORITY.issue_cert("elsewhere").private_key_pem.bytes()
    mixed = file(tmp_path, "mixed.pem", other + LEAF.cert_chain_pems[0].bytes())
    cut = file(tmp_path, "cut.pem", beginning(client, -200) + b"\n-----END CERTIFICATE-----\n")
    for given, said in (
        ({"ca_bundle": der, "client_cert": client}, f"ca_bundle ({der}) cannot be loaded: it is in DER form"),
        ({"ca_bundle": words, "client_cert": client}, f"ca_bundle ({words}) cannot be loaded: it holds no certificate"),
        ({"ca_bundle": key}, f"ca_bundle ({key}) cannot be loaded: it holds no certificate"),
        ({"ca_bundle": authority, "client_cert": authority}, f"client_cert ({authority}) cannot be loaded: it holds no private key"),
        ({"client_cert": key}, f"client_cert ({key}) cannot be loaded: it holds no certificate"),
        ({"client_cert": der}, f"client_cert ({der}) cannot be loaded: it is in DER or PKCS #12 form"),
        ({"client_cert": mixed}, f"client_cert ({mixed}) cannot be loaded: its key does not belong to its first certificate"),
        ({"client_cert": cut}, f"client_cert ({cut}) cannot be loaded: "),
        ({"ca_pem": "nothing", "client_cert": client}, "The account's authority (ca_pem) cannot be loaded"),
    ):  # fmt: skip
        assert (await refusal(**given)).startswith(said)


@pytest.mark.parametrize(
    ("why", "bundle", "advice"),
    [
        ("unable to get local issuer certificate", None, "give its authority with ca_bundle="),
        ("self-signed certificate in certificate chain", "/ca.pem", "/ca.pem, which ca_bundle names, has not the authority"),
        ("Missing Authority Key Identifier", None, "breaks RFC 5280"),
        ("Basic Constraints of CA cert not marked critical", "/ca.pem", "breaks RFC 5280"),
        ("certificate has expired", None, r"\(certificate has expired\)$"),
        ("Hostname mismatch, certificate is not valid for 'x'.", "/ca.pem", r"valid for 'x'\)$"),
    ],
)  # fmt: skip
def test_what_to_do_about_a_server_s_certificate_fits_what_is_wrong(why: str, bundle: str | None, advice: str) -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_message = why
    assert re.search(advice, certificate_words(error, bundle))
    wrapped = httpx.ConnectError("x")
    wrapped.__cause__ = error
    assert _describe(wrapped, None, bundle) == certificate_words(error, bundle)


# renewed files


@asynccontextmanager
async def server_that_wants(authority: trustme.CA) -> AsyncIterator[tuple[int, list[str]]]:
    """A TLS server that wants a client's certificate by ``authority``; and whose they were, by their number."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    LEAF.configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    came: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer.get_extra_info("peercert")["serialNumber"].lstrip("0"))
        while await reader.readexactly(4) != b"AMQP":
            await read_request(reader)
            writer.write(http_answer(b"ok"))

    async with raw_server(serve, context) as server:
        yield port_of(server), came


def serial(leaf: trustme.LeafCert) -> str:
    from cryptography import x509

    return f"{x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number:X}"


async def over_http(port: int, network: Network, renew: Callable[[], None]) -> None:
    async with HttpTransport(network) as http:
        await http.send(Request("GET", f"https://127.0.0.1:{port}/"), alone=True)
        renew()
        await http.send(Request("GET", f"https://127.0.0.1:{port}/"), alone=True)


async def over_lanes(port: int, network: Network, renew: Callable[[], None]) -> None:
    async with Lanes(f"https://127.0.0.1:{port}", network) as lanes:
        renew()
        lanes.renew()
        await asyncio.sleep(1)
        assert lanes.ready()


async def over_amqp(port: int, network: Network, renew: Callable[[], None]) -> None:
    for again in (False, True):
        if again:
            renew()
        with pytest.raises(AmqpFailure):
            await AmqpClient.connect(Broker("127.0.0.1", port, "x"), network, [])


async def over_websocket(port: int, network: Network, renew: Callable[[], None]) -> None:
    async def dial() -> tuple[str, dict[str, str]]:
        return f"wss://127.0.0.1:{port}/", {}

    stream: Stream[Any] = Stream(dial, Silent, network)
    async with stream:
        await anext(stream)
        renew()
        await anext(stream)


@pytest.mark.parametrize("way", [over_http, over_lanes, over_amqp, over_websocket])
async def test_the_next_connection_takes_renewed_files(
    way: Callable[[int, Network, Callable[[], None]], Awaitable[None]], tmp_path: Path
) -> None:
    theirs = trustme.CA()
    old, new = theirs.issue_cert("us"), theirs.issue_cert("us")
    path = client_file(tmp_path, leaf=old)
    network = Network(ca_pem=AUTHORITY.cert_pem.bytes().decode(), client_cert=path)
    async with server_that_wants(theirs) as (port, came):
        await way(port, network, lambda: (client_file(tmp_path, leaf=new), None)[1])
        await asyncio.sleep(0.1)
    assert came[0] == serial(old)
    assert came[-1] == serial(new)


async def test_a_renewed_authority_is_taken_and_the_old_one_is_trusted_no_longer(tmp_path: Path) -> None:
    bundle = file(tmp_path, "ca.pem", AUTHORITY.cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    LEAF.configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(http_answer(b"ok"))

    async with raw_server(serve, context) as server, HttpTransport(Network(ca_bundle=bundle)) as http:
        request = Request("GET", server.url)
        assert (await http.send(request, alone=True)).status == 200
        file(tmp_path, "ca.pem", trustme.CA().cert_pem.bytes())
        with pytest.raises(NotSent, match=f"{bundle}, which ca_bundle names, has not the authority"):
            await http.send(request, alone=True)


async def test_files_that_are_half_written_change_nothing_and_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = client_file(tmp_path)
    network = Network(client_cert=path)
    before = await ssl_context(network)
    file(tmp_path, "client.pem", beginning(path, 300))
    assert [await renewed_context(network) for _ in range(3)] == [before] * 3
    assert [record.getMessage().partition(":")[0] for record in caplog.records if record.name == "gridwire"] == [
        "tls.not_renewed"
    ]
    with pytest.raises(ConfigurationError, match=r"client_cert .* cannot be loaded"):
        await ssl_context(network)  # a client that is opened now is told
    client_file(tmp_path, leaf=AUTHORITY.issue_cert("127.0.0.1"))
    assert await renewed_context(network) not in (before, None)


async def test_one_context_serves_all_connections_until_a_file_changes(tmp_path: Path) -> None:
    network = Network(client_cert=client_file(tmp_path))
    assert await ssl_context(network) is await renewed_context(network)
    assert await ssl_context(network) is not await ssl_context(network, http=False)

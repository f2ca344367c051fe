"""One start of a program that trades: take a ticket, say what happened, end. Run as a child process.

Arguments: cas_url, path of the ticket file, password. It talks HTTP by hand, because importing a client library takes
longer than the whole test.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from gridwire.auth.ticket_file import TicketFile
from gridwire.auth.tickets import TicketManager
from gridwire.errors import GridwireError
from gridwire.transport.exchange import Request, Response


async def send(request: Request) -> Response:
    url = urlsplit(request.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    target = f"{url.path}?{url.query}" if url.query else url.path
    headers = {
        "host": url.netloc,
        "connection": "close",
        "content-length": str(len(request.content)),
        **request.headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"{request.method} {target} HTTP/1.1\r\n{head}\r\n".encode() + request.content)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    top, _, body = answer.partition(b"\r\n\r\n")
    return Response(int(top.split()[1]), {}, body)


async def main(cas_url: str, path: str, password: str) -> str:
    tickets = TicketManager(
        send,
        cas_url=cas_url,
        username="TRADER",
        password=SecretStr(password),
        service="https://teststp.epias.com.tr",
        ticket_file=TicketFile(Path(path)),
    )
    try:
        return (await tickets.take()).value
    except GridwireError as error:
        return type(error).__name__
    finally:
        await tickets.aclose()


if __name__ == "__main__":
    sys.stdout.write(asyncio.run(main(*sys.argv[1:])))

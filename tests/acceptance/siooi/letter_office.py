"""A venue that is spoken to as a letter says, with everything in it that letters of Russian state systems have.

> **Авторизация.** `POST /ws/enter`, JSON в кодировке windows-1251: `{"Вход": {"Логин", "Пароль"}, "Система"}`. Ответ - XML в UTF-8 с
> элементами `Код`, `Билет`, `ДействуетДо` (московское время); в заголовке `X-Desk` - рабочее место.
>
> **Отправка.** `POST /ws/<билет>/files?size=<байт>`, XML в UTF-8, элемент `ЗагрузкаДокумента` из `urn:letter:2020` с элементами `Форма`,
> `Контроль/SHA1` (прописные шестнадцатеричные цифры), `Контроль/SHA256` (строчные), `Период`, `Файл` (base64). Заголовки
> `Content-MD5` и `X-Content-Digest: sha-512=…` (base64), `X-Desk: desk <рабочее место>`. Ответ - JSON в windows-1251.
>
> **Статус.** `GET /ws/state?задание=<номер>&билет=<билет>`, параметры в windows-1251. Ответ - текст в windows-1251.
>
> **Коды.** 0 успешно, 1 неверный пароль, 2 билет не действует, 3 не сходится контрольная сумма, 4 запрос не разобран.

It reads with the standard library and lxml alone, and shares no code with the client.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from aiohttp import web
from lxml import etree

from gridwire import clock
from gridwire.sandbox.serving import Listener
from gridwire.siooi import Profile, load_profile

PROFILE = Path(__file__).parents[2] / "fixtures" / "siooi" / "letter.toml"
LOGIN, PASSWORD = "робот@энерго.рф", "Пароль-№7"
SPACE = "{urn:letter:2020}"
MOSCOW = timezone(timedelta(hours=3))


@dataclass
class LetterOffice:
    """The venue; an async context manager."""

    life_s: float = 120.0
    logins: int = 0
    refused: list[str] = field(default_factory=list)
    documents: list[bytes] = field(default_factory=list)
    broken: bool = False
    """Whether it ends the connection instead of answering."""
    tickets: dict[str, Any] = field(default_factory=dict)

    async def __aenter__(self) -> LetterOffice:
        self._listener = await Listener.open(self.handle)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._listener.close()

    def profile(self) -> Profile:
        """The profile that was written from the letter, at the port of this venue."""
        text = PROFILE.read_text(encoding="utf-8")
        return load_profile(tomllib.loads(text.replace("127.0.0.1:8080", f"127.0.0.1:{self._listener.port}")))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if self.broken:
            await request.read()
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        # The library's own path has the slash in a ticket decoded already.
        match request.method, [unquote(step) for step in request.raw_path.partition("?")[0].split("/")[2:]]:
            case "POST", ["enter"]:
                return self._enter(await request.read(), request)
            case "POST", [ticket, "files"]:
                return self._files(ticket, await request.read(), request)
            case "GET", ["state"]:
                return self._state(request)
        return web.Response(status=404)

    def _enter(self, body: bytes, request: web.Request) -> web.Response:
        asked = json.loads(body.decode("windows-1251"))
        assert request.headers["Content-Type"] == "application/json; charset=windows-1251"
        assert asked["Система"] == "АСУ «Энерго» № 1"
        if asked["Вход"] != {"Логин": LOGIN, "Пароль": PASSWORD}:
            return _xml("<Ответ><Код>1</Код></Ответ>")
        self.logins += 1
        ticket = f"билет/{self.logins}"
        self.tickets[ticket] = until = clock.now() + timedelta(seconds=self.life_s)
        said = until.astimezone(MOSCOW).strftime("%Y-%m-%dT%H:%M:%S.%f")
        answer = _xml(f"<Ответ><Код>0</Код><Билет>{ticket}</Билет><ДействуетДо>{said}</ДействуетДо></Ответ>")
        answer.headers["X-Desk"] = "4"
        return answer

    def _files(self, ticket: str, body: bytes, request: web.Request) -> web.Response:
        if self._expired(ticket):
            self.refused.append("send")
            return _json({"код": 2, "текст": "Билет не действует"})
        root = etree.fromstring(body)
        found = {child.tag.removeprefix(SPACE): (child.text or "").strip() for child in root.iter()}
        if root.tag != f"{SPACE}ЗагрузкаДокумента" or request.headers["X-Desk"] != "desk 4":
            return _json({"код": 4})
        content = base64.b64decode(found["Файл"], validate=True)
        sums = {
            "SHA1": hashlib.sha1(content, usedforsecurity=False).hexdigest().upper(),
            "SHA256": hashlib.sha256(content).hexdigest(),
            "Content-MD5": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
            "X-Content-Digest": "sha-512=" + base64.b64encode(hashlib.sha512(content).digest()).decode(),
            "size": str(len(content)),
        }
        if any(
            sums[name] not in (found.get(name), request.headers.get(name), request.query.get(name)) for name in sums
        ):
            return _json({"код": 3, "текст": "Не сходится контрольная сумма"})
        self.documents.append(content)
        return _json({"код": 0, "задание": f"№ {len(self.documents)}/а"})

    def _state(self, request: web.Request) -> web.Response:
        asked = parse_qs(request.rel_url.raw_query_string, encoding="windows-1251", errors="strict")
        if self._expired(asked["билет"][0]):
            self.refused.append("status")
            return _text("Отказ 2")
        known = asked["задание"][0] == f"№ {len(self.documents)}/а"
        return _text("Состояние: загружен\nДокумент: Подписан" if known else "Отказ 4")

    def _expired(self, ticket: str) -> bool:
        until = self.tickets.get(ticket)
        return until is None or clock.now() > until


def _xml(text: str) -> web.Response:
    return web.Response(body=text.encode(), content_type="text/xml")


def _json(value: dict[str, Any]) -> web.Response:
    return web.Response(
        body=json.dumps(value, ensure_ascii=False).encode("windows-1251"), content_type="application/json"
    )


def _text(text: str) -> web.Response:
    return web.Response(body=text.encode("windows-1251"), content_type="text/plain")

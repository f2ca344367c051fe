"""Letters to the venue's support, in Russian, because that is who reads them. Pure functions; nothing is sent."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from gridwire.intents.upload_records import Upload

SUPPORT = "skts@ti-ees.ru"
"""The support mailbox that the venue's API description names."""
MOSCOW = ZoneInfo("Europe/Moscow")


def deletion_request(row: Upload) -> str:
    """Ask for a loaded document to be deleted, so that a corrected one can be loaded."""
    document = row.document
    lines = [
        f"Кому: {SUPPORT}",
        f"Тема: Удаление загруженного документа сбора, форма {document.form}, объект {document.object_key}",
        "",
        "Здравствуйте!",
        "",
        "Просим удалить из АС СиОИ документ сбора, загруженный через API, для повторной загрузки корректной информации.",
        "",
        f"Учётная запись: {document.account}",
        f"Код формы сбора: {document.form}",
        f"Объект: {document.object_key}",
        f"Отчётный период: {document.period}",
        f"Идентификатор задания: {row.job_id or 'не получен'}",
        f"Время отправки (МСК): {_moscow(row.started)}",
        f"Последний ответ системы (МСК): {_moscow(row.answered)}",
        f"Размер файла: {document.size_bytes} байт",
        f"SHA-256 файла: {document.exact_sha256}",
        f"Номер в нашем журнале: {row.ref}",
        "",
        "Просим подтвердить удаление ответным письмом с номером обращения.",
    ]
    return "\n".join(lines)


def _moscow(moment: datetime | None) -> str:
    return "нет" if moment is None else moment.astimezone(MOSCOW).strftime("%d.%m.%Y %H:%M:%S")

"""Why a document was not taken, or why nobody knows, in Russian; in English the library says it itself."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING

from gridwire.cli.siooi.words import Words

if TYPE_CHECKING:
    from gridwire.outcome import Rejected, Unknown

_CODES: Mapping[str, str] = {
    "BAD_CREDENTIALS": "логин или пароль не приняты. Повторной попытки не будет: неверные пароли блокируют учётную запись",
    "ACCOUNT_LOCKED": "учётная запись заблокирована; обратитесь в поддержку",
    "SESSION_EXPIRED": "сеанс завершился; отправьте снова, авторизация выполнится заново",
    "NO_ROLE": "у учётной записи нет роли «Ответственный за передаваемую информацию»",
    "NO_FORM_ACCESS": "у учётной записи нет доступа к этой форме",
    "NO_OBJECT_ACCESS": "у учётной записи нет доступа к этому объекту",
    "UNKNOWN_FORM": "системе неизвестен этот код формы",
    "BAD_XML": "система не смогла прочитать файл как XML",
    "SCHEMA_ERROR": "файл не соответствует схеме формы; запросите действующую схему у поддержки",
    "DUPLICATE": "такой документ в системе уже есть",
    "QUEUE_FULL": "очередь заполнена; отправьте позже",
    "MAINTENANCE": "идут регламентные работы; отправьте позже",
    "INTERNAL": "внутренняя ошибка системы",
    "429": "система просит подождать; отправьте позже",
    "login_unavailable": "войти в систему сейчас нельзя; отправьте позже",
    "login_unreadable": "ответ на вход не описан в профиле; сверьте раздел login с письмом поддержки. Повторной попытки не будет",
    "journal": "журнал отправок недоступен, а без него ничего не отправляется",
    "refused": "соединение не принято",
    "dns": "имя узла не найдено",
    "tls": "сертификату узла нельзя доверять",
    "timeout": "соединение не установлено вовремя",
    "pool": "соединение не установлено вовремя",
    "closed": "отправка отменена до начала",
    "cancelled": "отправка отменена до начала",
}
_LIKENESS: Mapping[str, str] = {
    "same_bytes": "этот же файл",
    "same_content": "документ с тем же содержанием в другом оформлении",
    "same_object_and_period": "документ за тот же период по тем же форме и объекту",
}
_CAUSES: Mapping[str, str] = {
    "timeout": "ответ не пришёл вовремя",
    "disconnected": "соединение прервалось до ответа",
    "cancelled": "отправка прервана, когда данные уже ушли",
    "redirect": "вместо системы ответил другой узел (перенаправление)",
    "http_status": "вместо системы ответил другой узел, или она дала сбой",
    "unreadable": "ответ нельзя прочитать",
    "contradictory": "такого ответа нет в профиле",
    "no_id": "в ответе нет идентификатора задания",
    "crashed": "программа завершилась до ответа",
    "underway": "документ отправляется в эту минуту",
    "expired": "задание системе больше не известно",
    "damaged": "запись журнала об отправке повреждена",
}


def refusal(outcome: Rejected, words: Words) -> str:
    """Why a document is certainly not in the queue."""
    if words.lang == "en":
        return outcome.reason
    obstacle = str(getattr(outcome.raw, "reason", ""))
    if outcome.code == "duplicate" and obstacle in _LIKENESS:
        row = outcome.raw.upload
        about = f"форма {row.document.form}, объект {row.document.object_key}, период {row.document.period}"
        return f"Уже есть {_LIKENESS[obstacle]}: {words.state(row.state)}, отправка {row.ref} ({about})."
    why = _CODES.get(outcome.code)
    if why is None:
        return outcome.reason
    said = getattr(getattr(outcome.raw, "said", None), "text", None)
    pause = "" if outcome.retry_after_s is None else f" Повторить можно через {ceil(outcome.retry_after_s)} с."
    return f"Причина: {why}.{pause}" + (f" Система сообщает: {said}." if said else "")


def doubt(outcome: Unknown, words: Words) -> str:
    """Why nobody knows what became of a document."""
    return outcome.cause if words.lang == "en" else _CAUSES.get(outcome.cause, outcome.cause)

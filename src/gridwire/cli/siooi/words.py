"""What the commands of АС СиОИ say, in English and in Russian: the venue's clerks read Russian.

What the library itself says (why a file is refused, which setting is missing) stays English, in the lines below.
"""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping
from typing import Literal, TypeAlias

Lang: TypeAlias = Literal["en", "ru"]

_WORDS: Mapping[str, tuple[str, str]] = {
    # headings
    "file": ("File", "Файл"),
    "form": ("Form", "Форма"),
    "object": ("Object", "Объект"),
    "period": ("Period", "Период"),
    "size": ("Bytes", "Байт"),
    "schema": ("Schema", "Схема"),
    "state": ("State", "Состояние"),
    "job": ("Job", "Задание"),
    "ref": ("Upload", "Отправка"),
    "sent": ("Sent", "Отправлено"),
    "note": ("Note", "Примечание"),
    "account": ("Account", "Учётная запись"),
    "hash": ("SHA-256", "SHA-256"),
    "valid": ("valid", "соответствует"),
    "unchecked": ("NOT CHECKED", "НЕ ПРОВЕРЕНО"),
    # outcomes
    "accepted": ("Accepted", "Принято"),
    "rejected": ("Rejected", "Отклонено"),
    "unknown": ("Unknown", "Неизвестно"),
    "queued_as": (
        "{file} is in the queue: job {job}, upload {ref}.",
        "{file} в очереди: задание {job}, отправка {ref}.",
    ),
    "already": (
        "{file} was sent before, and is not sent again: {state}, job {job}, upload {ref}.",
        "Документ {file} уже отправлялся и повторно не отправляется: {state}, задание {job}, отправка {ref}.",
    ),
    "underway": (
        "{file} is being sent at this moment, as upload {ref}, and its answer has not come yet. It is not sent a second time. Look "
        "later what became of it: gridwire siooi journal",
        "Документ {file} отправляется в эту минуту, отправка {ref}, ответа ещё нет. Второй раз он не отправляется. Посмотрите "
        "позже, что с ним стало: gridwire siooi journal",
    ),
    "held_back": ("{file} was not taken.", "Документ {file} не принят."),
    "not_there": (
        "{file} is certainly not in the venue's queue.",
        "Документа {file} в очереди системы точно нет.",
    ),
    "may_be_there": (
        "{file} may be in the venue's queue. It is not sent again. Look for it in the venue's own screens or ask its support, "
        "then: gridwire siooi resolve {ref} --as absent (or present) --note …",
        "Документ {file} может быть в очереди системы. Повторно он не отправляется. Проверьте в личном кабинете или спросите "
        "поддержку, затем: gridwire siooi resolve {ref} --as absent (или present) --note …",
    ),
    "succeeded": (
        "Job {job}: the document is loaded{status}. It cannot be corrected any more; a wrong one has to be deleted by support "
        "first: gridwire siooi letter {ref}",
        "Задание {job}: документ загружен{status}. Исправить его уже нельзя; ошибочный сначала удаляет поддержка: "
        "gridwire siooi letter {ref}",
    ),
    "failed": (
        "Job {job}: the document was not loaded. Correct it and send it again.",
        "Задание {job}: документ не загружен. Исправьте его и отправьте снова.",
    ),
    "expired": (
        "Job {job} is no longer known to the venue, which keeps finished jobs for two hours. The document may be loaded or not. "
        "Look for it in the venue's own screens, then: gridwire siooi resolve {ref} --as absent (or present) --note …",
        "Задание {job} системе больше не известно: выполненные задания хранятся не более двух часов. Документ мог загрузиться, а "
        "мог и нет. Проверьте в личном кабинете, затем: gridwire siooi resolve {ref} --as absent (или present) --note …",
    ),
    "doubtful": (
        "Job {job} failed, but its number came with an answer that settles nothing, so it may be another document's. Look for "
        "the document in the venue's own screens, then: gridwire siooi resolve {ref} --as absent (or present) --note …",
        "Задание {job} не выполнено, но его номер пришёл в ответе, который ничего не решает: это может быть задание другого "
        "документа. Проверьте в личном кабинете, затем: gridwire siooi resolve {ref} --as absent (или present) --note …",
    ),
    "unsettled": (
        "Job {job} has not ended yet. Follow it later: gridwire siooi wait {ref}",
        "Задание {job} ещё не завершено. Проверьте позже: gridwire siooi wait {ref}",
    ),
    "nothing_pending": ("No job is under way.", "Незавершённых заданий нет."),
    "no_rows": ("The journal {file} holds no such upload.", "В журнале {file} нет таких отправок."),
    "journal_of": ("The journal {file}.", "Журнал {file}."),
    # questions
    "confirm": (
        "Send {count} document(s) as {account}? A loaded document is signed and cannot be corrected.",
        "Отправить документов: {count} от имени {account}? Загруженный документ считается подписанным и не исправляется.",
    ),
    "needs_yes": (
        "Sending needs --yes, because nobody can be asked here. Nothing was sent.",
        "Для отправки нужен ключ --yes: спросить здесь некого. Ничего не отправлено.",
    ),
    "nothing_sent": ("Nothing was sent.", "Ничего не отправлено."),
    "dry_run": (
        "Nothing was sent. To send: gridwire siooi submit …",
        "Ничего не отправлено. Для отправки: gridwire siooi submit …",
    ),
    "blocked": ("It would not be sent: {why}", "Отправлен не будет: {why}"),
    "interrupted": ("Interrupted.", "Прервано."),
    "not_known": (
        "{file} may be in the venue's queue, and the journal cannot be asked: {why}",
        "Документ {file} может быть в очереди системы, а журнал недоступен: {why}",
    ),
    "not_sent": ("{file} was not sent.", "Документ {file} не отправлен."),
    # settling
    "settled": ("Upload {ref} is settled as {state}.", "Отправка {ref} закрыта: {state}."),
    "withdrawn_now": (
        "Upload {ref} is withdrawn: the corrected document for the same form, object and period may be sent.",
        "Отправка {ref} отозвана: можно отправить исправленный документ за тот же период по тем же форме и объекту.",
    ),
    # profiles
    "profile_fine": (
        "{name}: the profile is complete. It speaks to {host}{confirmed}.",
        "{name}: профиль полон. Он обращается к {host}{confirmed}.",
    ),
    "untouched": (
        "{file} still holds what the template was written with: {fields}. Fill it in from the letter of the venue's support.",
        "В {file} остались значения из шаблона: {fields}. Заполните профиль по письму поддержки.",
    ),
    "new_journal": (
        "{file} is a new journal: documents sent earlier are not in it, and are not recognised as sent.",
        "{file} - новый журнал: ранее отправленных документов в нём нет, и повторы не распознаются.",
    ),
    "not_confirmed": (
        ", and is not confirmed: it may talk to this machine only",
        ", но не подтверждён: доступна только эта машина",
    ),
    "written": (
        "{file} is written. Send the questions in it to {support}, fill it in from their answer, then: "
        "gridwire siooi profile check {file}",
        "Записан {file}. Отправьте вопросы из него на {support}, заполните по ответу, затем: "
        "gridwire siooi profile check {file}",
    ),
    # what is going on
    "sending": ("sending {file}: {percent} %", "отправка {file}: {percent} %"),
    "following": ("job {job}: {state}", "задание {job}: {state}"),
    "error_at": ("  {error}", "  {error}"),
    "label_error": ("Error", "Ошибка"),
    "label_note": ("Note", "Внимание"),
}

_STATES: Mapping[str, tuple[str, str]] = {
    "prepared": ("prepared", "подготовлено"),
    "sending": ("sending", "отправляется"),
    "queued": ("queued", "в очереди"),
    "processing": ("processing", "обрабатывается"),
    "succeeded": ("succeeded", "загружено"),
    "failed": ("failed", "не загружено"),
    "refused": ("refused", "отказано"),
    "not_sent": ("not sent", "не отправлено"),
    "unknown": ("UNKNOWN", "НЕИЗВЕСТНО"),
    "expired": ("EXPIRED", "СРОК ИСТЁК"),
    "resolved_absent": ("settled: absent", "закрыто: нет в системе"),
    "resolved_present": ("settled: present", "закрыто: есть в системе"),
    "withdrawn": ("withdrawn", "отозвано"),
    "QUEUED": ("queued", "в очереди"),
    "RUNNING": ("processing", "обрабатывается"),
    "SUCCEEDED": ("loaded", "загружено"),
    "FAILED": ("failed", "не загружено"),
    "NOT_FOUND": ("no longer known", "больше не известно"),
    "UNKNOWN_STATE": ("in a state the profile does not map", "в состоянии, которого нет в профиле"),
}


class Words:
    """One language."""

    def __init__(self, lang: Lang) -> None:
        self.lang: Lang = lang
        self._at = 0 if lang == "en" else 1

    def __call__(self, sentence: str, /, **values: object) -> str:
        """A sentence with its values."""
        return _WORDS[sentence][self._at].format(**values)

    def state(self, name: str) -> str:
        """The state of an upload or a job."""
        return _STATES[name][self._at]


def language_of_locale() -> Lang:
    """Russian where this user's messages are Russian, English elsewhere."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return "ru" if value.lower().startswith("ru") else "en"
    return "ru" if (locale.getlocale()[0] or "").lower().startswith(("ru", "russian")) else "en"

"""The simulated venue itself: accounts, sessions, rights, the queue of jobs and the documents that came of it.

Time is the loop's, given with each call; a job's state follows from it, so nothing runs in the background. What the real
venue's document does not say (how long a session lives, how long a job takes, whether it knows duplicates) is a knob.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeAlias

Code: TypeAlias = Literal[
    "OK", "BAD_CREDENTIALS", "ACCOUNT_LOCKED", "SESSION_EXPIRED", "NO_ROLE", "NO_FORM_ACCESS", "NO_OBJECT_ACCESS",
    "UNKNOWN_FORM", "BAD_XML", "DUPLICATE", "QUEUE_FULL", "JOB_NOT_FOUND", "BAD_REQUEST",
]  # fmt: skip
State: TypeAlias = Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED"]

TEXTS: dict[Code, str] = {
    "OK": "Успешно",
    "BAD_CREDENTIALS": "Неверный логин или пароль",
    "ACCOUNT_LOCKED": "Учётная запись заблокирована",
    "SESSION_EXPIRED": "Сеанс завершён, требуется авторизация",
    "NO_ROLE": "Нет роли «Ответственный за передаваемую информацию»",
    "NO_FORM_ACCESS": "Нет доступа к форме сбора",
    "NO_OBJECT_ACCESS": "Нет доступа к объекту",
    "UNKNOWN_FORM": "Неизвестный код формы сбора",
    "BAD_XML": "Файл не является документом XML",
    "DUPLICATE": "Документ уже загружен",
    "QUEUE_FULL": "Очередь заполнена",
    "JOB_NOT_FOUND": "Задание не найдено",
    "BAD_REQUEST": "Неверный запрос",
}
SIGNED = "Подписан"


class Refused(Exception):
    """The venue says no."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code: Code = code


@dataclass(frozen=True, slots=True)
class User:
    """An account and its rights."""

    name: str
    responsible: bool = True
    """Whether it has the role «Ответственный за передаваемую информацию»."""
    forms: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Problem:
    """One error found in a document."""

    line: int
    element: str
    code: str
    text: str


@dataclass(slots=True)
class Job:
    """An upload that was taken. Times are seconds on the loop's clock."""

    id: str
    user: str
    form: str
    object_key: str
    sha256: str
    queued_at: float
    runs_at: float
    done_at: float
    problems: tuple[Problem, ...]

    def state(self, now: float) -> State:
        """Where it stands."""
        if now < self.runs_at:
            return "QUEUED"
        if now < self.done_at:
            return "RUNNING"
        return "FAILED" if self.problems else "SUCCEEDED"


@dataclass(slots=True)
class SiooiKnobs:
    """How the simulated venue behaves where the real one's document is silent. May be changed while it runs."""

    session_ttl_s: float = 600.0
    queue_s: float = 4.0
    run_s: float = 6.0
    kept_s: float = 7200.0
    """How long a finished job stays in the queue (two hours, API description 2.0)."""
    queue_size: int = 1000
    lock_after: int = 3
    """Wrong passwords in a row that lock an account."""
    refuses_duplicates: bool = False
    """Whether equal bytes are refused. Off, so that a client that sends twice is seen to."""
    one_session: bool = False
    """Whether a login ends the account's earlier sessions."""


class Registry:
    """Everything the venue knows."""

    def __init__(self, seed: int, users: Sequence[User], forms: frozenset[str], knobs: SiooiKnobs) -> None:
        self.users: dict[str, User] = {user.name: user for user in users}
        self.passwords: dict[str, str] = _passwords(seed, users)
        self.jobs: dict[str, Job] = {}
        self.logins: int = 0
        """Logins that succeeded."""
        self._forms = forms
        self._knobs = knobs
        self._random = Random(f"{seed}:tokens")  # noqa: S311 - they open nothing but a venue in memory
        self._sessions: dict[str, tuple[str, float]] = {}
        self._failures: dict[str, int] = {}
        self._number = 1000

    def login(self, name: str, password: str, now: float) -> str:
        """Open a session and return its token."""
        if self._failures.get(name, 0) >= self._knobs.lock_after:
            raise Refused("ACCOUNT_LOCKED")
        if name not in self.users or self.passwords[name] != password:
            self._failures[name] = self._failures.get(name, 0) + 1
            raise Refused("BAD_CREDENTIALS")
        self._failures.pop(name, None)
        if self._knobs.one_session:
            self.end_sessions(name)
        self.logins += 1
        token = "".join(self._random.choices(string.ascii_letters + string.digits, k=32))
        self._sessions[token] = (name, now)
        return token

    def logout(self, token: str) -> None:
        """End a session."""
        self._sessions.pop(token, None)

    def end_sessions(self, name: str | None = None) -> None:
        """End every session, or those of one account."""
        self._sessions = {token: held for token, held in self._sessions.items() if name not in (None, held[0])}

    @property
    def tokens(self) -> list[str]:
        """The tokens of open sessions: no output of a client may hold one."""
        return list(self._sessions)

    def user(self, token: str | None, now: float) -> User:
        """Whose session it is."""
        name, began = self._sessions.get(token or "", ("", 0.0))
        if name not in self.users or now >= began + self._knobs.session_ttl_s:
            raise Refused("SESSION_EXPIRED")
        return self.users[name]

    def admit(self, user: User, form: str, object_key: str | None, sha256: str, now: float) -> None:
        """Check an upload. Raises `Refused`."""
        if not user.responsible:
            raise Refused("NO_ROLE")
        if form not in self._forms:
            raise Refused("UNKNOWN_FORM")
        if form not in user.forms:
            raise Refused("NO_FORM_ACCESS")
        if object_key is None:
            raise Refused("BAD_XML")
        if object_key not in user.objects:
            raise Refused("NO_OBJECT_ACCESS")
        waiting = [job for job in self.jobs.values() if job.state(now) in ("QUEUED", "RUNNING")]
        if len(waiting) >= self._knobs.queue_size:
            raise Refused("QUEUE_FULL")
        if self._knobs.refuses_duplicates and any(job.sha256 == sha256 for job in self.jobs.values()):
            raise Refused("DUPLICATE")

    def queue(
        self, user: User, form: str, object_key: str, sha256: str, problems: Sequence[Problem], now: float
    ) -> Job:
        """Take an upload that was admitted."""
        self._number += 1
        runs_at = now + self._knobs.queue_s
        job = Job(
            str(self._number),
            user.name,
            form,
            object_key,
            sha256,
            now,
            runs_at,
            runs_at + self._knobs.run_s,
            tuple(problems),
        )
        self.jobs[job.id] = job
        return job

    def job(self, user: User, job_id: str, now: float) -> Job:
        """One's own job, for as long as the queue keeps it."""
        job = self.jobs.get(job_id)
        if job is None or job.user != user.name or now >= job.done_at + self._knobs.kept_s:
            raise Refused("JOB_NOT_FOUND")
        return job

    def documents(self, now: float) -> list[Job]:
        """The jobs that became signed documents."""
        return [job for job in self.jobs.values() if job.state(now) == "SUCCEEDED"]


def _passwords(seed: int, users: Sequence[User]) -> dict[str, str]:
    random = Random(f"{seed}:siooi-passwords")  # noqa: S311 - they open nothing but a venue in memory
    letters = string.ascii_letters + string.digits
    return {user.name: "".join(random.choices(letters, k=20)) for user in users}

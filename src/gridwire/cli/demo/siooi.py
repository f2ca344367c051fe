"""The demo's run at АС СиОИ: a clerk loads a folder of documents, two answers are lost, and nothing is loaded twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from gridwire.cli.demo.tally import Tally
from gridwire.cli.output import clean, show
from gridwire.outcome import Accepted, Outcome, Rejected, Unknown
from gridwire.sandbox import Sandbox
from gridwire.sandbox.siooi import SiooiVenue
from gridwire.siooi import Account, JobRef, Prepared, Siooi
from gridwire.siooi.duplicates import obstacle_in

PERIOD = "2026-Q3"
_PAUSE_S = 0.05
Say = Callable[[str], None]


async def play(seconds: float, seed: int, silent: bool) -> Tally:
    """Load a quarter's documents, in about ``seconds`` but not under four. Without ``silent``, show it on stdout."""

    def say(text: str) -> None:
        if not silent:
            show(clean(text))

    async with Sandbox("siooi", seed=seed) as box:
        venue = box.venue("siooi")
        venue.knobs.queue_s, venue.knobs.run_s = min(seconds / 10, 1.0), min(seconds / 5, 3.0)
        say(f"АС СиОИ, simulated at {venue.origin}. A loaded document is signed: it cannot be corrected or sent again.")
        async with Siooi(_account(venue), schemas=venue.schemas) as client:
            story = _Story(venue, client, seed, say, pause_s=0.0 if silent else seconds / 15)
            return await story.play()


def _account(venue: SiooiVenue) -> Account:
    """The clerk's, at a venue that wants no long pause between two uploads."""
    account = venue.account()
    limits = account.profile.limits.model_copy(update={"min_send_interval_s": _PAUSE_S})
    return Account(
        account.profile.model_copy(update={"limits": limits}), account.login, account.password, account.ca_pem
    )


class _Story:
    def __init__(self, venue: SiooiVenue, client: Siooi, seed: int, say: Say, *, pause_s: float) -> None:
        self._venue = venue
        self._client = client
        self._random = Random(f"{seed}:demo")  # noqa: S311 - it decides what a play is about
        self._say = say
        self._pause_s = pause_s
        self._outcomes: list[Outcome] = []
        self._settled: dict[str, bool] = {}

    async def play(self) -> Tally:
        documents = [
            await self._prepare(form, name) for form in ("F101", "F102") for name in ("TPP-1", "TPP-2", "HPP-7")
        ]
        self._say(f"{len(documents)} documents are valid and hashed. Nothing has left yet.")
        arrived, vanished = self._random.sample(range(len(documents)), 2)
        for number, document in enumerate(documents):
            if number == arrived:
                self._venue.faults.add("drop_after_execute", operation="send")
            if number == vanished:
                self._venue.faults.add("drop_before_execute", operation="send")
            await self._submit(document)
        await self._break_a_rule()
        for document in (documents[arrived], documents[vanished]):
            await self._submit(document, "again, though nobody knows what became of it")
        for number in (arrived, vanished):
            await self._settle(documents[number])
        await self._submit(documents[vanished], "again, now that it is known not to be there")
        await self._follow()
        return Tally.of(self._outcomes, self._settled, self._executed())

    async def _prepare(self, form: str, name: str) -> Prepared:
        values = ("12.5", "40") if form == "F101" else ("1200", "8760")
        content = self._venue.document(form, name, PERIOD, values)
        return await self._client.prepare(content, form_code=form, object_key=name, period=PERIOD)

    async def _submit(self, document: Prepared, why: str = "") -> Outcome:
        await asyncio.sleep(self._pause_s)
        outcome = await self._client.submit(document, confirm=True)
        if obstacle_in(outcome) is None:  # else it tells of an earlier one, and is no write of its own
            self._outcomes.append(outcome)
        known = document.document
        match outcome:
            case Accepted(order=order):
                ended = f"Accepted, job {order.id if order is not None else '?'}"
            case Rejected():
                ended = f"Rejected by {outcome.origin}: {outcome.reason}"
            case Unknown():
                ended = f"Unknown ({outcome.cause}). It is not sent again"
        self._say(f"{known.form} about {known.object_key}{', ' if why else ''}{why}: {ended}")
        return outcome

    async def _break_a_rule(self) -> None:
        """Send a document about an object that this account may not report on."""
        content = self._venue.document("F101", "NPP-3", PERIOD)
        document = await self._client.prepare(content, form_code="F101", object_key="NPP-3", period=PERIOD)
        await self._submit(document)

    async def _settle(self, document: Prepared) -> None:
        """Look into the venue's own screens, as a person would, and tell the journal."""
        known = document.document
        there = any(job.sha256 == known.exact_sha256 for job in self._venue.registry.jobs.values())
        outcome = next(one for one in self._client.unknown() if one.intent.restated["sha256"] == known.exact_sha256)
        self._settled[outcome.intent.key] = there
        finding = "present" if there else "absent"
        note = "looked into the venue's own screens"
        await self._client.resolve(outcome.intent.key, "present" if there else "absent", by="the clerk", note=note)
        self._say(f"{known.form} about {known.object_key}: a person looked, it is {finding}. Settled in the journal")

    async def _follow(self) -> None:
        accepted = [one.order for one in self._outcomes if isinstance(one, Accepted) and isinstance(one.order, JobRef)]
        results = await asyncio.gather(*(self._client.wait(job) for job in accepted))
        for result in results:
            said = getattr(result, "document_status", None) or ""
            self._say(
                f"Job {result.job.job_id}, {result.job.form_code} about {result.job.object_key}: "
                f"{type(result).__name__} {said}".rstrip()
            )

    def _executed(self) -> list[str]:
        """The refs of the uploads that the venue's own log has in its queue, in order."""
        refs: dict[str, list[str]] = {}
        for one in self._outcomes:
            if isinstance(one, (Accepted, Unknown)) and self._settled.get(one.intent.key, True):
                refs.setdefault(str(one.intent.restated["sha256"]), []).append(one.intent.key)
        return [(refs.get(call.sha256 or "") or [call.job_id or "?"])[0] for call in self._venue.log.uploads()]

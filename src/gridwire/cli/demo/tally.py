"""The demo's bookkeeping: what the traders were told, against what the venue did. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gridwire.outcome import Accepted, Outcome, Rejected, Unknown


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one venue's writes, and every contradiction found."""

    sent: int
    accepted: int
    rejected: int
    unknown: int
    resolved: int
    """Unknown ones that were settled on the venue's own evidence, either way."""
    found: int
    """Of those, the ones that had been executed."""
    executed_at_venue: int
    """Writes in the sandbox's own log of what it executed."""
    complaints: tuple[str, ...] = ()

    @classmethod
    def of(cls, outcomes: Iterable[Outcome], settled: Mapping[str, bool], executed: Sequence[str]) -> Tally:
        """Hold ``outcomes`` against the venue's log.

        ``settled`` says of the transactionId of an `Unknown` whether it turned out executed; ``executed`` are the
        transactionIds of the writes that the venue executed, in order.
        """
        told = list(outcomes)
        accepted = [one.intent.key for one in told if isinstance(one, Accepted)]
        unknown = [one.intent.key for one in told if isinstance(one, Unknown)]
        resolved = [key for key in unknown if key in settled]
        found = [key for key in resolved if settled[key]]
        complaints = [f"{key} is still unknown" for key in unknown if key not in settled]
        complaints += [f"{key} was executed {times} times" for key, times in Counter(executed).items() if times > 1]
        believed, done = {*accepted, *found}, set(executed)
        complaints += [f"{key} was believed executed and was not" for key in sorted(believed - done)]
        complaints += [f"{key} was executed and nobody knows" for key in sorted(done - believed)]
        return cls(
            sent=len(told),
            accepted=len(accepted),
            rejected=sum(isinstance(one, Rejected) for one in told),
            unknown=len(unknown),
            resolved=len(resolved),
            found=len(found),
            executed_at_venue=len(executed),
            complaints=tuple(complaints),
        )

    @property
    def ok(self) -> bool:
        """Whether every write is accounted for, and none was done twice."""
        return not self.complaints and self.executed_at_venue == self.accepted + self.found

    def verdict(self, name: str) -> str:
        """The last line."""
        if not self.ok:
            return f"Verdict for {name}: NOT consistent. {'; '.join(self.complaints)}."
        return (
            f"Verdict for {name}: consistent. {self.sent} writes = {self.accepted} accepted + {self.rejected} rejected + "
            f"{self.unknown} unknown. The venue's own log has {self.executed_at_venue} executions = {self.accepted} accepted "
            f"+ {self.found} unknown that had been executed. None was done twice."
        )

    def as_dict(self) -> dict[str, int]:
        """The counts for programs."""
        names = ("sent", "accepted", "rejected", "unknown", "resolved", "executed_at_venue")
        return {name: getattr(self, name) for name in names}

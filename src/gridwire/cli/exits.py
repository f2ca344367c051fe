"""What a command's exit code tells a script, and which code an error gets."""

from __future__ import annotations

from enum import IntEnum

from gridwire.errors import (
    AuthError,
    AuthUnavailable,
    ConfigurationError,
    GridwireError,
    InvalidInput,
    JournalError,
    ReadOnly,
    SecurityError,
)


class ExitCode(IntEnum):
    """How a command ended. ``text`` is the line that help and documentation show."""

    text: str

    def __new__(cls, value: int, text: str) -> ExitCode:
        """An int that carries its explanation."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.text = text
        return member

    DONE = 0, "done; what changes something at the venue: accepted by it"
    FAILED = 1, "a check failed (demo, bench, doctor), or gridwire itself is at fault"
    BAD_INPUT = 2, "the command line cannot be right; nothing was sent"
    REJECTED = 3, "a bid, a document or another change: rejected, it is certainly not at the venue"
    UNKNOWN = 4, "a bid, a document or another change: unknown, it may be at the venue; look before you repeat it"
    SETUP = 5, "settings, login, rights or the journal do not allow it"
    VENUE = 6, "the network or the venue failed, or the venue said no to a question"
    PARTLY = 7, "a call with several entries: some accepted, the others rejected; do not repeat the accepted ones"
    INTERRUPTED = 130, "interrupted (Ctrl-C, SIGTERM) or called off; nothing was sent but what is listed"


def code_of(error: GridwireError) -> ExitCode:
    """The exit code of a command that ended with ``error``."""
    if isinstance(error, ReadOnly):  # it was the settings that said so, and not the command line
        return ExitCode.SETUP
    if isinstance(error, InvalidInput):
        return ExitCode.BAD_INPUT
    if isinstance(error, AuthUnavailable):
        return ExitCode.VENUE
    if isinstance(error, (ConfigurationError, AuthError, JournalError, SecurityError)):
        return ExitCode.SETUP
    return ExitCode.VENUE


def listing() -> str:
    """Every code with its meaning, one per line."""
    return "\n".join(f"{code.value:>5}  {code.text}" for code in ExitCode)

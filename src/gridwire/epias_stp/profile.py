"""Where EPİAŞ STP is, and how sure we are of each fact.

Host, CAS host, service name and module path are four independent settings: none is derived from another, because the
venue's own document contradicts itself about them (see "Open questions" in docs/protocols/epias_stp.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pydantic import SecretStr

from gridwire.settings import Fact

Environment: TypeAlias = Literal["sandbox", "test", "production"]


@dataclass(frozen=True, slots=True)
class Profile:
    """One environment of the venue. Replace single fields with `dataclasses.replace`."""

    environment: Environment
    cas_url: str
    """Base of the ticket service, with ``/cas/v1``."""
    stp_url: str
    """Scheme and host of STP, without a path."""
    service: str
    """The string a service ticket is asked for."""
    engine_path: str = "/stp-orchestrator-trading-engine/rest"
    broadcaster_path: str = "/stp-broadcaster-orchestrator/rest"
    st_ttl_s: float = 30.0
    """How long a service ticket is believed to live; the client stops using it 5 s earlier."""
    tgt_idle_s: float = 2700.0
    """Idle life of a ticket granting ticket; it restarts with every service ticket."""
    quantity_unit: str = "1000 Sm3"
    price_places: int | None = 2
    """Decimals a price may have; None switches the check off."""
    write_gas_day_date: bool = True
    """Whether contract/save also carries the older single ``gasDayDate`` when exactly one day is given."""
    write_gas_day_dates: bool = True
    """Whether contract/save carries the newer ``gasDayDates`` list."""
    facts: Mapping[str, Fact] = field(default_factory=dict, repr=False)
    """Fields below high confidence, by name."""


_ASK = "EPİAŞ support (the STP desk), with your DGPYS user name"

_UNCERTAIN = {
    "engine_path": Fact(
        confidence="medium",
        why="the document prints /stp-orchestrator-trading-engine/rest, but is itself served under the other word order, "
        "/stp-trading-engine-orchestrator, as are all sibling modules",
        ask=_ASK,
    ),
    "service": Fact(
        confidence="medium",
        why="the document's table swaps the service names of test and production, and its prose names a third one",
        ask=_ASK,
    ),
    "quantity_unit": Fact(
        confidence="medium",
        why="the document nowhere says that quantities count 1000 Sm3; it follows from published volumes and turnover",
        ask=_ASK,
    ),
}

PRODUCTION = Profile(
    environment="production",
    cas_url="https://cas.epias.com.tr/cas/v1",
    stp_url="https://stp.epias.com.tr",
    service="https://stp.epias.com.tr",
    facts=_UNCERTAIN,
)

TEST = Profile(
    environment="test",
    cas_url="https://testcas.epias.com.tr/cas/v1",
    stp_url="https://teststp.epias.com.tr",
    service="https://teststp.epias.com.tr",
    facts=_UNCERTAIN,
)

PRESETS: Mapping[str, Profile] = {"test": TEST, "production": PRODUCTION}


@dataclass(frozen=True, slots=True)
class Account:
    """One user at one environment. ``ca_pem`` is an extra certificate authority (the sandbox's own, with TLS)."""

    profile: Profile
    username: str
    password: SecretStr = field(repr=False)
    ca_pem: str | None = field(default=None, repr=False)

"""A profile is checked whole when it is loaded, and every complaint names its field."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from gridwire.errors import ConfigurationError
from gridwire.sandbox.siooi import profiles
from gridwire.siooi import Succeeded, load_profile
from gridwire.siooi.errors import ProfileError
from tests.acceptance.siooi.office import accepted, office, sent

ORIGIN = "http://127.0.0.1:1"


def without(path: str, *, of: dict[str, Any] | None = None) -> dict[str, Any]:
    """The first wire's profile without one of its fields."""
    profile = deepcopy(of or profiles.simulator(ORIGIN))
    *above, last = path.split(".")
    table: Any = profile
    for step in above:
        table = table[step]
    del table[last]
    return profile


@pytest.mark.parametrize(
    "field",
    [
        "send.job_id",
        "status.state",
        "base_url",
        "login.path",
        "send.queued_when",
        "session",
        "send.file.field",
        "send.result_code",
    ],
)
def test_G21_a_profile_without_an_extractor_fails_when_it_is_loaded(field: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load_profile(without(field))
    assert field in [path for path, _ in caught.value.complaints]
    assert f"{field}: " in str(caught.value)
    assert isinstance(caught.value, ConfigurationError)


async def test_a_profile_written_from_the_documentation_speaks_to_a_wire_no_code_was_written_for(
    tmp_path: Path,
) -> None:
    async with office(tmp_path) as desk, desk.client("third") as client:
        result = await client.wait(accepted(await sent(client)))
        assert isinstance(result, Succeeded)
        assert result.document_status == "Подписан"
        assert {call.wire for call in desk.venue.log} == {"text"}

"""What ``import gridwire`` gives, what it costs, and that the documentation lists exactly that."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import gridwire

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference" / "index.md"
MOST_NAMES = 45


def in_a_new_process(code: str) -> str:
    """Run ``code`` where nothing of gridwire was imported yet. Returns what it printed."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_every_public_name_can_be_had() -> None:
    for name in gridwire.__all__:
        assert getattr(gridwire, name) is not None


def test_the_surface_stays_small() -> None:
    assert len(gridwire.__all__) == len(set(gridwire.__all__)) <= MOST_NAMES


def test_the_documentation_lists_exactly_the_public_names() -> None:
    documented = re.findall(r"^\| `(\w+)`", REFERENCE.read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(gridwire.__all__)


def test_importing_gridwire_imports_no_event_loop_no_library_and_no_venue() -> None:
    code = "import sys; import gridwire; print(' '.join(m.partition('.')[0] + ' ' + m for m in sys.modules))"
    loaded = set(in_a_new_process(code).split())
    assert not loaded & {"asyncio", "httpx", "pydantic", "ssl", "lxml", "websockets", "tenacity", "jwt", "aiohttp"}
    assert {name for name in loaded if name.startswith("gridwire.")} == set()


def test_a_venue_can_be_had_both_ways() -> None:
    code = "import gridwire; from gridwire import {0}; import gridwire.{0}; print({0} is gridwire.{0})"
    here = Path(gridwire.__file__).parent
    for name in sorted(name for name in gridwire._SUBMODULES if (here / name).is_dir()):
        assert in_a_new_process(code.format(name)) == "True"


def test_dir_shows_names_that_were_not_used_yet() -> None:
    assert {*gridwire.__all__, *gridwire._SUBMODULES} <= set(dir(gridwire))
    assert gridwire.__getattr__("epias_stp").__name__ == "gridwire.epias_stp"


def test_a_name_that_is_not_there_is_an_attribute_error_with_the_name() -> None:
    assert in_a_new_process("import gridwire; print(hasattr(gridwire, 'nordpool'))") == "False"


def test_the_version_is_the_installed_distributions() -> None:
    assert gridwire.__version__ in (ROOT / "pyproject.toml").read_text()

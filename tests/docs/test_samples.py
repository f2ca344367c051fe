"""Every Python sample a reader may copy runs as it is printed, on real sockets against the sandbox."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from gridwire import Accepted
from tests.support.samples import Sample, samples_in, samples_of

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SAMPLES = [sample for page in PAGES for sample in samples_of(page, ROOT)]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.page}:{sample.line}")
def test_sample(sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sample.kind == "not run":
        assert sample.compiled() is not None
        return
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    names = sample.run()
    if "bids.save(" in sample.code and "faults" not in sample.code:
        assert isinstance(names["outcome"], Accepted)


def test_the_first_page_shows_a_trade() -> None:
    assert any(
        sample.kind == "program" and "desk.buy" in sample.code for sample in SAMPLES if sample.page == "README.md"
    )


PAGE = dedent("""\
    Text.

    ```python
    print("a whole program")
    ```

    <!-- sample: in a client -->
    ```python
    print(await stp.contracts.standard())
    ```

    <!-- sample: not run, because it needs a real account -->
    ```python
    EpiasStp.from_env()
    ```

    1. A step:

        ```python
        x = 1
        ```

    ```sh
    make demo
    ```
    """)


def test_python_blocks_are_found_with_their_lines_and_markers() -> None:
    found = list(samples_in("page.md", PAGE))
    assert [(sample.line, sample.kind) for sample in found] == [
        (4, "program"),
        (9, "in a client"),
        (14, "not run"),
        (20, "program"),
    ]
    assert found[3].code == "x = 1\n"


def test_a_failing_sample_points_at_its_line_on_the_page() -> None:
    (sample,) = samples_in("page.md", "one\n\n```python\nx = 1\nx / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as caught:
        sample.run()
    assert (str(caught.traceback[-1].path), caught.traceback[-1].lineno + 1) == ("page.md", 5)


def test_a_block_with_await_at_its_top_level_runs() -> None:
    (sample,) = samples_in("page.md", "```python\nimport asyncio\nawait asyncio.sleep(0)\nraise KeyError('ran')\n```\n")
    with pytest.raises(KeyError, match="ran"):
        sample.run()


@pytest.mark.parametrize("marker", ["in the client", "not run", "not run, because"])
def test_an_unknown_marker_is_refused(marker: str) -> None:
    with pytest.raises(ValueError, match="unknown marker"):
        list(samples_in("page.md", f"<!-- sample: {marker} -->\n```python\n```\n"))


def test_a_block_left_open_is_refused() -> None:
    with pytest.raises(ValueError, match="never closed"):
        list(samples_in("page.md", "```python\nx = 1\n"))

"""tools/make_sync.py: the committed face is the generated one, and what cannot be generated is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools import make_sync
from tools.make_sync import Face, Unsupported, Writer


def test_regenerating_gives_the_committed_files() -> None:
    assert make_sync.stale() == [], "run tools/make_sync.py"


def test_every_class_of_calls_of_a_client_has_a_blocking_form() -> None:
    """A service that a client gains must not be missing here."""
    for face in make_sync.FACES:
        module, _, client = face.client.rpartition(".")
        parts = {name for names in face.parts.values() for name in names}
        used = {
            name
            for name, origin in make_sync.Module(module).origins.items()
            if origin[0].startswith((f"{module.rpartition('.')[0]}.services", f"{module.rpartition('.')[0]}.desk"))
        }
        assert used == parts, client


CLIENT = '''
"""A venue."""

from collections.abc import AsyncIterator
from typing import Self

from gridwire.venue.room import Room


class Client:
    """A client, used in ``async with``."""

    def __init__(self, name: str = "a", *rest: int, key: int = 1) -> None:
        self._name = name
        self.name: str = name
        self.plain = name

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def room(self, *, size: int = 2) -> Room:
        """A room of its own."""
        return Room(size)
'''
ROOM = '''
"""A room."""

from typing import Self


class Room:
    """A room."""

    def __init__(self, size: int) -> None:
        self.size = size

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def enter(self, **who: str) -> int:
        """Go in."""
        return self.size
'''


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    room = tmp_path / "gridwire" / "venue"
    room.mkdir(parents=True)
    (room / "client.py").write_text(CLIENT)
    (room / "room.py").write_text(ROOM)
    monkeypatch.setattr(make_sync, "SOURCE", tmp_path)
    return room


def face(**parts: tuple[str, ...]) -> Face:
    return Face("gridwire/sync/venue.py", "A venue.", "gridwire.venue.client.Client", {
        f"gridwire.venue.{module}": names for module, names in parts.items()
    })  # fmt: skip


def test_what_a_method_returns_is_wrapped_and_entered_without_async(source: Path) -> None:
    text = Writer(face(room=("Room",))).write()
    assert 'def __init__(self, name: str = "a", *rest: int, key: int = 1) -> None:' in text
    assert "self._wrap(AsyncClient(name, *rest, key=key))" in text
    assert "return Room(self._bridge, self._bridge.run(self._client.room, size=size))" in text
    assert "self._bridge.call(self._calls.__aenter__)" in text
    assert "def enter(self, **who: str) -> int:" in text
    assert "return self._bridge.call(self._calls.enter, **who)" in text
    assert "self.name: str = client.name" in text
    assert "self.plain = client.plain" in text
    assert '"""A client, used in ``with``."""' in text


def test_what_only_type_checkers_import_stays_theirs_and_overloads_are_carried_over(source: Path) -> None:
    overloads = """
    @overload
    def find(self, name: Literal["cellar"]) -> Cellar: ...

    @overload
    def find(self, name: str) -> Room: ...

    def find(self, name: str) -> object:
        \"\"\"Find a room.\"\"\"
        return name
"""
    guarded = "from typing import TYPE_CHECKING, Literal, overload\nif TYPE_CHECKING:\n    from gridwire.cellar import Cellar\n"
    (source / "client.py").write_text(CLIENT.replace("from typing", guarded + "from typing", 1) + overloads)
    text = Writer(face(room=("Room",))).write()
    assert "if TYPE_CHECKING:\n    from gridwire.cellar import Cellar\n" in text
    assert '@overload\n    def find(self, name: Literal["cellar"]) -> Cellar: ...' in text
    assert "return self._client.find(name)" in text


@pytest.mark.parametrize(
    ("method", "complaint"),
    [
        ('async def rows(self) -> AsyncIterator[int]:\n        """Rows."""\n        yield 1', "async generator"),
        ('def rows(self) -> AsyncIterator[int]:\n        """Rows."""', "no face knows the blocking form"),
        ('@staticmethod\n    def rows() -> int:\n        """Rows."""', "decorated with staticmethod"),
        ("async def rows(self) -> int:\n        return 1", "has no docstring"),
        ('async def rows(self) -> int:\n        """To be awaited."""\n        return 1', "speaks of async"),
        ('async def rows(self, x: int, /) -> int:\n        """Rows."""\n        return 1', "positional-only"),
        ('async def rows(self) -> Elsewhere:\n        """Rows."""', "not at its top"),
    ],
)
def test_a_shape_it_does_not_know_is_refused_by_name(source: Path, method: str, complaint: str) -> None:
    (source / "client.py").write_text(f"{CLIENT}\n    {method}\n")
    with pytest.raises(Unsupported, match=complaint):
        Writer(face(room=("Room",))).write()


def test_something_asynchronous_that_no_face_names_is_refused(source: Path) -> None:
    with pytest.raises(Unsupported, match="room returns Room"):
        Writer(face()).write()
    with pytest.raises(Unsupported, match="has no class Cellar"):
        Writer(face(room=("Cellar",))).write()


def test_a_name_that_means_two_things_is_refused(source: Path) -> None:
    elsewhere = ROOM.replace("from typing import Self", "from gridwire.other import Self").replace("-> int", "-> Self")
    (source / "room.py").write_text(elsewhere)
    with pytest.raises(Unsupported, match="Self means two things"):
        Writer(face(room=("Room",))).write()


def test_check_names_what_is_out_of_date_and_writes_nothing(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = source.parent / "sync" / "venue.py"
    written.parent.mkdir()
    monkeypatch.setattr(make_sync, "FACES", (face(room=("Room",)),))
    monkeypatch.setattr(make_sync, "PHRASES", {"``async with``": "``with``"})
    assert make_sync.main(["--check"]) == 1
    assert not written.exists()
    assert make_sync.main([]) == 0
    assert make_sync.main(["--check"]) == 0
    assert "up to date" in capsys.readouterr().out
    monkeypatch.setattr(make_sync, "PHRASES", {**make_sync.PHRASES, "gone": ""})
    with pytest.raises(Unsupported, match="no docstring holds any more: gone"):
        make_sync.generate()

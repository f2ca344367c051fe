"""House rules that no linter knows, read from the source itself."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "gridwire"
MODULES = sorted(SOURCE.rglob("*.py"))

MOST_LINES = 600
MOST_LINES_OF_A_FUNCTION = 60

AUTH_MAY_USE = {"gridwire.transport.exchange", "gridwire.transport.xml"}
WALL_TIME = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"),
    ("time", "time"), ("time", "time_ns"), ("time", "localtime"), ("time", "gmtime"), ("time", "ctime"),
}  # fmt: skip
LOOP_BREAKERS = {"nest_asyncio"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tracked() -> list[Path]:
    """The files that a clone would have, or that the next commit would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in listing.splitlines() if (path := ROOT / name).is_file()]


def calls(path: Path) -> Iterator[tuple[str, str, int]]:
    """Every call as (owner, name, line); the owner of a plain call is empty."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name):
                    yield "", name, node.lineno
                case (
                    ast.Attribute(value=ast.Name(id=owner), attr=name)
                    | ast.Attribute(value=ast.Attribute(attr=owner), attr=name)
                ):
                    yield owner, name, node.lineno


def imported(path: Path) -> Iterator[str]:
    """Every module a file imports, with ``from package import module`` counted as both."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_wall_time_is_read_in_the_clock_alone() -> None:
    readers = [
        f"{relative(path)}:{line}"
        for path in MODULES
        if path != SOURCE / "clock.py"
        for owner, name, line in calls(path)
        if (owner, name) in WALL_TIME
    ]
    assert readers == [], "use gridwire.clock.now()"


def test_no_module_reads_the_wall_clock_under_a_bare_name() -> None:
    hidden = [relative(path) for path in MODULES if {"time.time", "time.time_ns"} & set(imported(path))]
    assert hidden == []


def test_the_library_prints_nothing() -> None:
    talkers = ("cli", "bench")
    printing = [
        f"{relative(path)}:{line}"
        for path in MODULES
        if path.relative_to(SOURCE).parts[0] not in talkers
        for owner, name, line in calls(path)
        if (owner, name) == ("", "print")
    ]
    assert printing == []


def test_auth_uses_of_transport_only_exchanges_and_xml() -> None:
    used = {
        name
        for path in (SOURCE / "auth").rglob("*.py")
        for name in imported(path)
        if name.startswith("gridwire.transport")
    }
    modules = {".".join(name.split(".")[:3]) for name in used}
    assert modules <= AUTH_MAY_USE | {"gridwire.transport"}
    assert {name for name in used if name.count(".") == 2} <= AUTH_MAY_USE


def test_no_module_patches_the_event_loop() -> None:
    assert [relative(path) for path in MODULES if LOOP_BREAKERS & set(imported(path))] == []


def test_nothing_does_work_in_a_finaliser() -> None:
    finalisers = [
        f"{relative(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and node.name == "__del__"
    ]
    assert finalisers == []


def test_tls_verification_is_switched_off_nowhere() -> None:
    switched_off = [
        f"{relative(path)}:{node.value.lineno}"
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.keyword)
        and node.arg in {"verify", "check_hostname", "verify_ssl"}
        and isinstance(node.value, ast.Constant)
        and node.value.value is False
    ]
    named = [relative(path) for path in MODULES if "CERT_NONE" in path.read_text()]
    assert switched_off == []
    assert named == []


def test_money_and_energy_are_never_made_floats() -> None:
    """A float literal may be a number of seconds or a ratio; never the value of a price, an amount or a quantity."""
    word = re.compile(r"price|quantity|amount|volume", re.IGNORECASE)

    def is_float(node: ast.expr | None) -> bool:
        match node:
            case ast.Constant(value=float()) | ast.Name(id="float"):
                return True
            case ast.BinOp(left=left, right=right):
                return is_float(left) or is_float(right)
            case ast.Call(func=ast.Name(id="float")):
                return True
        return False

    found = []
    for path in MODULES:
        for node in ast.walk(tree(path)):
            match node:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                    guilty = word.search(name) and (is_float(annotation) or is_float(value))
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    guilty = word.search(name) and is_float(value)
                case ast.arg(arg=name, annotation=annotation):
                    guilty = word.search(name) and is_float(annotation)
                case ast.keyword(arg=str(name), value=value):
                    guilty = word.search(name) and is_float(value)
                case _:
                    continue
            if guilty:
                found.append(f"{relative(path)}:{getattr(node, 'lineno', '?')} {name}")
    assert found == []


def test_files_and_functions_fit_their_rooms() -> None:
    python = [path for path in tracked() if path.suffix == ".py"]
    written = [path for path in python if "Made by ``tools/" not in path.read_text()[:400]]
    long_files = [relative(path) for path in written if len(path.read_text().splitlines()) > MOST_LINES]
    long_functions = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or node.lineno) - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    ]
    assert long_files == []
    assert long_functions == []


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        # Spelled in pieces, so that this file does not find itself.
        ("a package registry's host", r"py" r"pi\.org|python" r"hosted\.org|npm" r"js\.org|deb\.deb" r"ian\.org"),
        ("a path of one machine", r"(?<![\w.~-])/(?:work|farm|home|root|Users)" r"/\w"),
        ("unfinished work", r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|NotImplemented" r"Error"),
        ("a conflict marker", r"^(?:<{7}|>{7}) "),
    ],
)  # fmt: skip
def test_no_tracked_file_holds(what: str, pattern: str) -> None:
    expression = re.compile(pattern, re.MULTILINE)
    found = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", errors="replace")
        found += [f"{relative(path)}: {match[0]!r}" for match in expression.finditer(text)]
    assert found == [], f"takes {what} out of the project"


def test_every_test_module_stands_where_its_module_stands() -> None:
    """tests/auth/test_cas.py for auth/cas.py, so that a reader of one finds the other."""
    rooms = {path.relative_to(SOURCE).parent.as_posix() for path in MODULES}
    strangers = {
        relative(path)
        for path in (ROOT / "tests").rglob("test_*.py")
        if (room := path.parent.relative_to(ROOT / "tests").as_posix()) not in rooms
        and room.split("/")[0] not in {"acceptance", "docs", "examples", "real", "support", "tools"}
    }
    assert strangers == set()

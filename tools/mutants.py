"""Change one thing at a time in the modules that decide about money, and see whether a test notices.

``python tools/mutants.py`` tries a spread of mutants of every module in `TARGETS`; names try only those modules, ``--most``
says how many of each (0: all), ``--show`` prints the ones that lived. It is slow and no part of the checks: run it after
a change to one of these modules. A mutant that lives is a line that no test holds, or one that cannot matter.

One warm process forks a child for each mutant; the child reads the changed module instead of the file, and runs the
module's own tests. POSIX only.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import importlib.abc
import importlib.util
import itertools
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ENOUGH = 0.85
LIFE_S = 120

TARGETS: dict[str, tuple[str, ...]] = {
    "gridwire.outcome": ("tests/test_outcome.py",),
    "gridwire.epias_stp.outcomes": ("tests/epias_stp/test_outcomes.py", "tests/acceptance/epias_stp/test_results.py"),
    "gridwire.transport.classify": ("tests/transport/test_classify.py",),
    "gridwire.intents.records": ("tests/intents/test_records.py",),
    "gridwire.intents.archive": ("tests/intents/test_archive.py",),
    "gridwire.intents.journal": (
        "tests/intents/test_journal.py",
        "tests/intents/test_references.py",
        "tests/intents/test_journal_processes.py",
    ),
    "gridwire.intents.guard": ("tests/intents/test_guard.py",),
    "gridwire.intents.upload_records": ("tests/intents/test_upload_records.py",),
    "gridwire.intents.uploads": ("tests/intents/test_uploads.py",),
    "gridwire.intents.upload_table": ("tests/intents/test_uploads.py",),
    "gridwire.transport.xml.canonical": ("tests/transport/xml/test_canonical.py",),
    "gridwire.transport.xml.documents": ("tests/transport/xml/test_documents.py",),
    "gridwire.transport.xml.schema": ("tests/transport/xml/test_schema.py",),
    "gridwire.intents.reconcile": ("tests/intents/test_reconcile.py",),
    "gridwire.auth.ticket_pool": ("tests/auth/test_ticket_pool.py", "tests/auth/test_tickets.py"),
    "gridwire.auth.tickets": (
        "tests/auth/test_tickets_life.py",
        "tests/auth/test_tickets.py",
        "tests/auth/test_cas_session.py",
    ),
}
"""Modules, and the tests that have to notice."""

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A changed module."""

    line: int
    what: str
    code: Any


def changes(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """What may be put in the place of ``node``."""
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in _COMPARED:
            changed = copy.deepcopy(node)
            changed.ops[0] = _COMPARED[type(op)]()
            yield changed, f"{type(op).__name__} -> {type(changed.ops[0]).__name__}"
        case ast.BoolOp(op=op):
            changed_bool = copy.deepcopy(node)
            changed_bool.op = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield changed_bool, f"{type(op).__name__} -> {type(changed_bool.op).__name__}"
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand, "not removed"
        case ast.BinOp(op=operator) if type(operator) in _CALCULATED and not _is_union(node):
            changed_sum = copy.deepcopy(node)
            changed_sum.op = _CALCULATED[type(operator)]()
            yield changed_sum, f"{type(operator).__name__} -> {type(changed_sum.op).__name__}"
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value), f"{value} -> {not value}"
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1), f"{value} -> {value + 1}"
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None)), "returns None"
        case ast.IfExp():
            yield ast.IfExp(node.test, node.orelse, node.body), "branches swapped"
        case ast.If():
            yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse), "condition turned round"
        case ast.Expr(value=ast.Call() | ast.Await() | ast.Yield()) | ast.AugAssign() | ast.Raise() | ast.Delete():
            yield ast.Pass(), f"{type(node).__name__} removed"
        case ast.Continue() | ast.Break():
            yield (ast.Break() if isinstance(node, ast.Continue) else ast.Continue()), "continue <-> break"
        case _:
            pass


def _is_union(node: ast.BinOp) -> bool:
    """Whether this is ``A | B`` between types."""
    sides = (node.left, node.right)
    return isinstance(node.op, ast.BitOr) and all(
        (isinstance(side, ast.Name) and side.id[:1].isupper()) or isinstance(side, ast.BinOp) for side in sides
    )


def sites(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Every node below ``node`` that is run, as its parent, the field there, the place in a list, and itself."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):  # types are not run; decorators shape classes
            continue
        for place, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                yield node, name, place, child
                yield from sites(child)


def mutants(path: Path, most: int) -> list[Mutant]:
    """``most`` mutants of a module, evenly spread; all of them if ``most`` is 0."""
    source = path.read_text(encoding="utf-8")
    todo = [
        (number, choice, getattr(node, "lineno", 0), what)
        for number, (_, _, _, node) in enumerate(sites(ast.parse(source)))
        for choice, (_, what) in enumerate(changes(node))
    ]
    if most and most < len(todo):
        todo = [todo[n * len(todo) // most] for n in range(most)]
    made = []
    for number, choice, line, what in todo:
        tree = ast.parse(source)
        parent, name, place, node = next(itertools.islice(sites(tree), number, None))
        changed, _ = next(itertools.islice(changes(node), choice, None))
        if place is None:
            setattr(parent, name, changed)
        else:
            getattr(parent, name)[place] = changed
        made.append(Mutant(line, what, compile(ast.fix_missing_locations(tree), str(path), "exec")))
    return made


class _Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Serves one module from changed code."""

    def __init__(self, name: str, path: Path, code: Any) -> None:
        self._name, self._path, self._code = name, path, code

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> Any:
        return importlib.util.spec_from_file_location(name, self._path, loader=self) if name == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)  # noqa: S102 - this is what the tool is for


def survives(name: str, path: Path, mutant: Mutant | None, tests: Sequence[str]) -> bool:
    """Whether the tests pass in a child that has the mutant instead of the module."""
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            signal.alarm(LIFE_S)
            nothing = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nothing, descriptor)
            if mutant is not None:
                sys.meta_path.insert(0, _Instead(name, path, mutant.code))
            import pytest

            options = [
                "-x",
                "-q",
                "-n0",
                "-W",
                "ignore::pytest.PytestAssertRewriteWarning",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:randomly",
                "--hypothesis-seed=1",
            ]
            status = int(pytest.main([*options, *tests]))
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def main(arguments: Sequence[str]) -> int:
    """Try the mutants and print a line per module. Returns the process's exit status."""
    parser = argparse.ArgumentParser(description="Mutation tests of the modules that decide about money.")
    parser.add_argument("modules", nargs="*", help=f"some of: {', '.join(TARGETS)}")
    parser.add_argument("--most", type=int, default=60, help="mutants of each module, evenly spread; 0 for all")
    parser.add_argument("--show", action="store_true", help="print the mutants that lived")
    chosen = parser.parse_args(arguments)
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
    for warm in ("pytest", "hypothesis", "httpx", "pydantic", "aiohttp", "anyio", "lxml.etree", "sqlite3"):
        importlib.import_module(warm)
    weak = []
    for name in chosen.modules or TARGETS:
        path, tests, started = ROOT / "src" / Path(*name.split(".")).with_suffix(".py"), TARGETS[name], time.monotonic()
        if not survives(name, path, None, tests):
            print(f"FAIL  {name}: its tests fail without a mutant")
            weak.append(name)
            continue
        tried = mutants(path, chosen.most)
        alive = [mutant for mutant in tried if survives(name, path, mutant, tests)]
        score = 1 - len(alive) / max(len(tried), 1)
        verdict = "ok  " if score >= ENOUGH else "WEAK"
        seconds = time.monotonic() - started
        print(
            f"{verdict}  {name:<32}{score:6.1%}  {len(tried) - len(alive)} of {len(tried)}{seconds:8.1f} s", flush=True
        )
        if chosen.show:
            for mutant in alive:
                print(f"      {path.relative_to(ROOT)}:{mutant.line}  {mutant.what}", flush=True)
        if score < ENOUGH:
            weak.append(name)
    print(f"gridwire: {'every module is held' if not weak else 'not held enough: ' + ', '.join(weak)}")
    return 1 if weak else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

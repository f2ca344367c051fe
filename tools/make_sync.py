"""Write the blocking face of every client from the source of the async one.

``python tools/make_sync.py`` rewrites the files named in `FACES`; ``--check`` only says which of them are out of date.
What is carried over word for word: names, parameters, defaults, annotations, docstrings (but for the phrases in `PHRASES`).
What is made: for each ``async def`` a method that runs it on the client's own loop, so that mypy, which checks the result
strictly, also checks that every argument still fits.

A method of a shape that this program does not know (an async generator, something asynchronous that no face names) ends it
with the name of that method: a face with a hole would look like one without.
"""

from __future__ import annotations

import ast
import builtins
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"


@dataclass(frozen=True)
class Face:
    """One file to write: a client, and the classes of what its attributes hold and its methods return."""

    file: str
    about: str
    client: str
    """Module and class, with a dot between."""
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Classes by module. One that is an async context manager becomes a blocking one."""
    cut: str | None = None
    """What it means that a call was cut off, for a client that writes nothing at a venue."""


FACES = (
    Face(
        "gridwire/sync/epias_stp.py",
        "EPİAŞ STP without ``async``: the calls, models and outcomes of `gridwire.epias_stp`.",
        "gridwire.epias_stp.client.EpiasStp",
        {
            "gridwire.epias_stp.desk": ("StpDesk",),
            "gridwire.epias_stp.services.bids": ("Bids",),
            "gridwire.epias_stp.services.contracts": ("Contracts", "ContractStatuses", "MarketPrices"),
            "gridwire.epias_stp.services.operator": ("ContractConfigurations", "ContractGates", "Matches", "Payments"),
        },
    ),
    Face(
        "gridwire/sync/edsn_pie.py",
        "EDSN Partners in Energie without ``async``: the calls and models of `gridwire.edsn_pie`.",
        "gridwire.edsn_pie.client.EdsnPie",
        cut="Nothing was changed at the venue; a notification that you were not done with comes again.",
    ),
    Face(
        "gridwire/sync/siooi.py",
        "АС СиОИ without ``async``: the calls, models and outcomes of `gridwire.siooi`.",
        "gridwire.siooi.client.Siooi",
    ),
    Face(
        "gridwire/sync/sandbox.py",
        "The sandbox without ``async``.\n\n"
        "Its accounts, knobs, faults and logs may be used from any thread, as what they hold is plain memory. ``market`` and\n"
        "``broadcast`` reach into open connections and may not: trade with a client of your own instead.",
        "gridwire.sandbox.runner.Sandbox",
        cut="Nothing left this machine.",
    ),
)

STREAMS: Mapping[tuple[str, str | None], tuple[str, str | None]] = {
    ("gridwire.transport.websocket", "Stream"): ("gridwire.sync.stream", "Stream"),
    ("gridwire.edsn_pie.consumer", "Consumer"): ("gridwire.sync.notifications", "Consumer"),
}
"""Async types, each with its blocking counterpart of the same name."""

PHRASES = {
    "as an async context manager bound to the event loop it was opened on": (
        "as a context manager, on an event loop and in a thread of its own"
    ),
    "``on_event`` is told what happens.": "``on_event`` is told what happens, on the client's own thread.",
    "as an endless async iterator": "as an endless iterator",
    "async for item in": "for item in",
    "async with item as": "with item as",
    "an async context manager": "a context manager",
    "``async with``": "``with``",
}
"""What docstrings say of the async clients only, and what is true of the blocking ones."""

CONTEXT_MANAGER = """
    def __enter__(self) -> Self:
        self._bridge.call(self._calls.__aenter__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bridge.call(self._calls.__aexit__, kind, error, trace)
"""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Unsupported(Exception):
    """The source holds something for which there is no blocking form here."""


class Module:
    """The source of one module, and where the names in it come from."""

    def __init__(self, name: str) -> None:
        self.name = name
        path = SOURCE / (name.replace(".", "/") + ".py")
        self._text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self._text)

    @cached_property
    def _for_types(self) -> list[ast.stmt]:
        """What is imported for type checkers alone."""
        return [part for node in self.tree.body if _is_for_types(node) for part in node.body]

    @cached_property
    def names_for_types(self) -> set[str]:
        """The names that exist for type checkers alone."""
        imports = [node for node in self._for_types if isinstance(node, ast.ImportFrom)]
        return {alias.asname or alias.name for node in imports for alias in node.names}

    def class_(self, name: str) -> ast.ClassDef:
        """The class of that name."""
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return node
        raise Unsupported(f"{self.name} has no class {name}")

    def text(self, node: ast.AST) -> str:
        """A piece of the source, as written."""
        return ast.get_source_segment(self._text, node) or ""

    @cached_property
    def origins(self) -> dict[str, tuple[str, str | None]]:
        """For each name at the top of the module: the module it comes from, and its name there (None: the module itself)."""
        found: dict[str, tuple[str, str | None]] = {}
        for node in (*self.tree.body, *self._for_types):
            match node:
                case ast.ImportFrom(module=str(module), names=names):
                    found.update({alias.asname or alias.name: (module, alias.name) for alias in names})
                case ast.Import(names=names):
                    found.update({alias.asname or alias.name: (alias.name, None) for alias in names})
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                    found[name] = (self.name, name)
                case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                    found[name] = (self.name, name)
        return found

    def origin(self, name: str) -> tuple[str, str | None] | None:
        """Where ``name`` comes from; None for a builtin."""
        if name in self.origins:
            return self.origins[name]
        if hasattr(builtins, name):
            return None
        raise Unsupported(f"{self.name} uses {name}, which is not at its top")


def _is_for_types(node: ast.stmt) -> TypeGuard[ast.If]:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


class Writer:
    """Writes one face."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._parts = {name for names in face.parts.values() for name in names}
        self._imports: dict[str, tuple[str, str | None]] = {}
        self._for_types: set[str] = set()
        self._lines: list[str] = []
        self.phrases_used: set[str] = set()

    def write(self) -> str:
        """The whole file, not yet formatted."""
        for name, classes in self._face.parts.items():
            module = Module(name)
            for class_name in classes:
                self._part(module, module.class_(class_name))
        module_name, _, client = self._face.client.rpartition(".")
        module = Module(module_name)
        self._client(module, module.class_(client))
        head = [
            f'"""{self._face.about}\n\nMade by ``tools/make_sync.py`` from the async classes: change those, and run it again.\n"""',
            "from __future__ import annotations",
        ]
        return "\n".join([*head, *self._import_lines(), *self._lines]) + "\n"

    def _part(self, module: Module, node: ast.ClassDef) -> None:
        self._import(f"Async{node.name}", module.name, node.name)
        self._import("Bridge", "gridwire.sync.bridge", "Bridge")
        self._lines += [
            f"class {node.name}:",
            self._docstring(module, node),
            f"    def __init__(self, bridge: Bridge, calls: Async{node.name}) -> None:",
            "        self._bridge = bridge",
            "        self._calls = calls",
        ]
        if any(method.name == "__aenter__" for method in functions(node)):
            self._import("Self", "typing", "Self")
            self._import("TracebackType", "types", "TracebackType")
            self._lines.append(CONTEXT_MANAGER)
        for method in public(node):
            self._method(module, method, "self._calls")

    def _client(self, module: Module, node: ast.ClassDef) -> None:
        self._import(f"Async{node.name}", module.name, node.name)
        self._import("Bridge", "gridwire.sync.bridge", "Bridge")
        self._import("Blocking", "gridwire.sync.base", "Blocking")
        constructor = next(m for m in functions(node) if m.name == "__init__")
        self._lines += [
            f"class {node.name}(Blocking):",
            self._docstring(module, node),
            self._head(module, constructor),
            f"        self._wrap(Async{node.name}({passed_on(constructor.args)}))",
        ]
        methods = list(public(node))
        for method in methods:
            if "classmethod" in decorators(method):
                self._constructor(module, node, method)
        self._lines += [
            f"    def _wrap(self, client: Async{node.name}) -> None:",
            "        self._client = client",
            f"        self._bridge = Bridge(client{f', cut={self._face.cut!r}' if self._face.cut else ''})",
            *self._attributes(module, constructor),
        ]
        for method in methods:
            if "classmethod" not in decorators(method):
                self._method(module, method, "self._client")

    def _attributes(self, module: Module, constructor: Function) -> Iterator[str]:
        for statement in constructor.body:
            match statement:
                case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value):
                    annotation = None
                case (
                    ast.AnnAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=name), value=value) as statement
                ):
                    annotation = statement.annotation
                case _:
                    continue
            if name.startswith("_"):
                continue
            made = value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
            if made in self._parts:
                yield f"        self.{name}: {made} = {made}(self._bridge, client.{name})"
            elif annotation is None:
                yield f"        self.{name} = client.{name}"
            else:
                self._import_names(module, annotation)
                yield f"        self.{name}: {module.text(annotation)} = client.{name}"

    def _constructor(self, module: Module, node: ast.ClassDef, method: Function) -> None:
        self._lines += [
            "    @classmethod",
            self._head(module, method),
            self._docstring(module, method),
            "        client = cls.__new__(cls)",
            f"        client._wrap(Async{node.name}.{method.name}({passed_on(method.args)}))",
            "        return client",
        ]

    def _method(self, module: Module, method: Function, inner: str) -> None:
        if "overload" in decorators(method):
            self._import("overload", "typing", "overload")
            self._lines += ["    @overload", self._head(module, method) + " ..."]
            return
        is_property = "property" in decorators(method)
        if unknown := decorators(method) - {"property"}:
            raise Unsupported(f"{module.name}: {method.name} is decorated with {', '.join(sorted(unknown))}")
        if is_property:
            self._lines.append("    @property")
        self._lines += [self._head(module, method), self._docstring(module, method)]
        target = f"{inner}.{method.name}"
        arguments = ", ".join(filter(None, [target, passed_on(method.args)]))
        returned = module.text(method.returns) if method.returns else ""
        origin = module.origins.get(returned.partition("[")[0])
        if isinstance(method, ast.AsyncFunctionDef):
            if any(isinstance(part, ast.Yield) for part in ast.walk(method)):
                raise Unsupported(f"{module.name}: {method.name} is an async generator")
            result = f"self._bridge.call({arguments})"
        elif origin in STREAMS or returned in self._parts:
            result = f"{returned.partition('[')[0]}(self._bridge, self._bridge.run({arguments}))"
        elif is_asynchronous(origin):
            raise Unsupported(
                f"{module.name}: {method.name} returns {returned}, of which no face knows the blocking form"
            )
        elif is_property:
            result = target
        elif returned == "list[Unknown]":
            result = f"[*{target}({passed_on(method.args)}), *self._bridge.undelivered]"
        else:
            result = f"{target}({passed_on(method.args)})"
        self._lines.append(f"        {result}" if returned == "None" else f"        return {result}")

    def _head(self, module: Module, method: Function) -> str:
        arguments = method.args
        for parameter in every(arguments):
            if parameter.annotation is not None:
                self._import_names(module, parameter.annotation)
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self._import_names(module, default)
        if method.returns is not None:
            self._import_names(module, method.returns)
        returned = f" -> {module.text(method.returns)}" if method.returns is not None else ""
        return f"    def {method.name}({declared(module, arguments)}){returned}:"

    def _docstring(self, module: Module, node: ast.ClassDef | Function) -> str:
        first = node.body[0]
        if ast.get_docstring(node) is None or not isinstance(first, ast.Expr):
            raise Unsupported(f"{module.name}: {node.name} has no docstring")
        text = module.text(first)
        for phrase, instead in PHRASES.items():
            if phrase in text:
                self.phrases_used.add(phrase)
                text = text.replace(phrase, instead)
        if "async" in text or "await" in text:
            raise Unsupported(
                f"{module.name}: the docstring of {node.name} speaks of async; put its phrase into PHRASES"
            )
        indent = "    " if isinstance(node, ast.ClassDef) else "        "
        return indent + text

    def _import_names(self, module: Module, expression: ast.expr) -> None:
        for part in ast.walk(expression):
            if isinstance(part, ast.Name) and (origin := module.origin(part.id)) is not None:
                if part.id in self._parts:
                    continue
                if origin in STREAMS:
                    origin = STREAMS[origin]
                elif part.id in module.names_for_types:
                    self._for_types.add(part.id)
                self._import(part.id, *origin)

    def _import(self, name: str, module: str, original: str | None) -> None:
        if self._imports.setdefault(name, (module, original)) != (module, original):
            raise Unsupported(
                f"{name} means two things in {self._face.file}: {self._imports[name]}, {(module, original)}"
            )

    def _import_lines(self) -> Iterator[str]:
        if self._for_types:
            self._import("TYPE_CHECKING", "typing", "TYPE_CHECKING")
        for name in self._imports.keys() - self._for_types:
            yield self._import_line(name)
        if self._for_types:
            yield "if TYPE_CHECKING:"
            yield from (f"    {self._import_line(name)}" for name in sorted(self._for_types))

    def _import_line(self, name: str) -> str:
        module, original = self._imports[name]
        if original is None:
            return f"import {module}" if name == module else f"import {module} as {name}"
        return f"from {module} import {original}" + ("" if name == original else f" as {name}")


def functions(node: ast.ClassDef) -> Iterator[Function]:
    """The methods of a class."""
    return (part for part in node.body if isinstance(part, Function))


def is_asynchronous(origin: tuple[str, str | None] | None) -> bool:
    """Whether what ``origin`` names is awaited, or is a class of ours with something to await."""
    module, name = origin or ("", None)
    if module in ("collections.abc", "contextlib", "typing"):
        return name is not None and name.startswith(("Async", "AbstractAsync", "Awaitable", "Coroutine"))
    if name is None or not (SOURCE / (module.replace(".", "/") + ".py")).is_file():
        return False
    classes = [node for node in Module(module).tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    return any(isinstance(method, ast.AsyncFunctionDef) for node in classes for method in functions(node))


def public(node: ast.ClassDef) -> Iterator[Function]:
    """The methods that users call."""
    return (method for method in functions(node) if not method.name.startswith("_"))


def decorators(method: Function) -> set[str]:
    """Their names as written."""
    return {ast.unparse(decorator) for decorator in method.decorator_list}


def every(arguments: ast.arguments) -> Iterator[ast.arg]:
    """All parameters in order, with ``*`` and ``**``."""
    yield from (*arguments.posonlyargs, *arguments.args)
    yield from filter(None, [arguments.vararg])
    yield from arguments.kwonlyargs
    yield from filter(None, [arguments.kwarg])


def declared(module: Module, arguments: ast.arguments) -> str:
    """The parameter list as written."""
    if arguments.posonlyargs:
        raise Unsupported(f"{module.name} has positional-only parameters")
    texts = [module.text(parameter) for parameter in arguments.args]
    first = len(texts) - len(arguments.defaults)
    for index, default in enumerate(arguments.defaults):
        texts[first + index] += f" = {module.text(default)}"
    if arguments.vararg:
        texts.append("*" + module.text(arguments.vararg))
    elif arguments.kwonlyargs:
        texts.append("*")
    for parameter, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        texts.append(module.text(parameter) + (f" = {module.text(value)}" if value is not None else ""))
    if arguments.kwarg:
        texts.append("**" + module.text(arguments.kwarg))
    return ", ".join(texts)


def passed_on(arguments: ast.arguments) -> str:
    """The same parameters as the arguments of a call, without ``self`` or ``cls``."""
    texts = [parameter.arg for parameter in arguments.args[1:]]
    texts += [f"*{arguments.vararg.arg}"] if arguments.vararg else []
    texts += [f"{parameter.arg}={parameter.arg}" for parameter in arguments.kwonlyargs]
    texts += [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
    return ", ".join(texts)


def formatted(text: str, file: str) -> str:
    """``text`` as the project's formatter leaves it, with its imports in order."""
    for command in (["check", "--quiet", "--select", "I", "--fix"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(SOURCE / file), "-"]
        text = subprocess.run(ruff, input=text, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return text


def generate() -> dict[str, str]:
    """Every file, by its path below ``src``, as it should be."""
    writers = {face.file: Writer(face) for face in FACES}
    files = {file: formatted(writer.write(), file) for file, writer in writers.items()}
    used = set().union(*(writer.phrases_used for writer in writers.values()))
    if idle := PHRASES.keys() - used:
        raise Unsupported(f"no docstring holds any more: {', '.join(sorted(idle))}")
    return files


def stale() -> list[str]:
    """The files that are not as `generate` would write them."""
    return [
        file
        for file, text in generate().items()
        if not (SOURCE / file).is_file() or (SOURCE / file).read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` name those that are out of date. Returns the process's exit status."""
    if arguments == ["--check"]:
        old = stale()
        print(f"out of date, run tools/make_sync.py: {', '.join(old)}" if old else "the blocking face is up to date")
        return 1 if old else 0
    for file, text in generate().items():
        (SOURCE / file).write_text(text, encoding="utf-8")
        print(f"wrote src/{file}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Schemas come from their folder and from nowhere else."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from gridwire.errors import ConfigurationError
from gridwire.transport import xml
from gridwire.transport.xml import DocumentRefused, Schemas, inspect
from gridwire.transport.xml import schema as module
from tests.support.bait import Bait
from tests.transport.xml.conftest import FORM, TYPES

GOOD = b"<doc><r><a>1</a><b>2.50</b></r></doc>"
BAD = b"<doc><r><a>1</a><b>2.505</b></r></doc>"


def test_a_form_is_held_against_its_schema_and_what_that_draws_in(schemas_folder: Path) -> None:
    schema = Schemas(schemas_folder).get("F1")
    assert schema.name == "F1.xsd"
    assert inspect(GOOD, schema=schema).root == "doc"
    with pytest.raises(DocumentRefused, match=r"breaks its schema F1\.xsd.*\n.*/doc/r\[1\]/b\[1\]"):
        inspect(BAD, schema=schema)


def test_it_is_compiled_once_until_one_of_its_files_changes(schemas_folder: Path) -> None:
    schemas = Schemas(schemas_folder)
    first = schemas.get("F1")
    assert schemas.get("F1") is first
    (schemas_folder / "common" / "types.xsd").write_text(TYPES.replace('value="2"', 'value="3" '))
    assert inspect(BAD, schema=schemas.get("F1")).root == "doc"
    (schemas_folder / "common" / "types.xsd").unlink()
    with pytest.raises(
        ConfigurationError, match=r"common/types\.xsd, which F1\.xsd draws in, was not read: it cannot be read"
    ):
        schemas.get("F1")


def test_files_may_draw_in_each_other_and_lie_behind_a_link_inside(schemas_folder: Path) -> None:
    (schemas_folder / "common" / "types.xsd").write_text(
        TYPES.replace("<xs:simpleType", '<xs:include schemaLocation="../F1.xsd"/><xs:simpleType')
    )
    (schemas_folder / "F2.xsd").symlink_to("F1.xsd")
    assert inspect(GOOD, schema=Schemas(schemas_folder).get("F2")).root == "doc"


def test_names_with_letters_and_escapes_are_found(schemas_folder: Path) -> None:
    (schemas_folder / "F1.xsd").write_text(FORM.replace("common/types.xsd", "./общие%20типы.xsd"), encoding="utf-8")
    (schemas_folder / "общие типы.xsd").write_text(TYPES)
    assert inspect(GOOD, schema=Schemas(schemas_folder).get("F1")).root == "doc"


def test_an_import_without_a_place_draws_in_nothing(schemas_folder: Path) -> None:
    (schemas_folder / "F1.xsd").write_text(FORM.replace("<xs:include", '<xs:import namespace="urn:x"/><xs:include'))
    assert inspect(GOOD, schema=Schemas(schemas_folder).get("F1")).root == "doc"


@pytest.mark.parametrize("code", ["", "../F1", "a/b", ".hidden", "a\\b", "x" * 101, "F1\n", "a b"])
def test_a_form_code_that_is_no_plain_name_is_refused(schemas_folder: Path, code: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot name a schema"):
        Schemas(schemas_folder).get(code)


def test_a_form_without_schema_and_one_that_is_none_are_told(schemas_folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"F9\.xsd was not read: it cannot be read"):
        Schemas(schemas_folder).get("F9")
    (schemas_folder / "F3.xsd").write_text(
        "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:elephant/></xs:schema>"
    )
    with pytest.raises(ConfigurationError, match=r"F3\.xsd in .* cannot be used"):
        Schemas(schemas_folder).get("F3")
    (schemas_folder / "F4.xsd").write_text("no xml")
    with pytest.raises(ConfigurationError, match=r"F4\.xsd in .* cannot be used"):
        Schemas(schemas_folder).get("F4")


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://127.0.0.1:{port}/types.xsd", "only files beside it"),
        ("ftp://127.0.0.1:{port}/types.xsd", "only files beside it"),
        ("//127.0.0.1:{port}/types.xsd", "only files beside it"),
        ("file://{outside}/types.xsd", "only files beside it"),
        ("{outside}/types.xsd", "only files beside it"),
        ("%2Fetc%2Fpasswd", "only files beside it"),
        ("../outside/types.xsd", "outside the folder"),
        ("common/../../outside/types.xsd", "outside the folder"),
        ("%2e%2e/outside/types.xsd", "outside the folder"),
        ("..\\outside\\types.xsd", "only files beside it"),
        ("link.xsd", "outside the folder"),
        ("linked/types.xsd", "outside the folder"),
        ("loop.xsd", "no name of a file"),
        ("a%00b.xsd", "no name of a file"),
        ("?types.xsd", "only files beside it"),
        ("gridwire-schema:///1.xsd", "only files beside it"),
    ],
)
@pytest.mark.parametrize("by", ["include", "import", "redefine", "override"])
def test_what_lies_elsewhere_is_refused_and_not_touched(
    schemas_folder: Path, bait: Bait, location: str, why: str, by: str
) -> None:
    (schemas_folder / "link.xsd").symlink_to(bait.folder / "types.xsd")
    (schemas_folder / "linked").symlink_to(bait.folder)
    (schemas_folder / "loop.xsd").symlink_to("loop.xsd")
    place = location.format(port=bait.port, outside=bait.folder)
    namespace = 'namespace="urn:x" ' if by == "import" else ""
    (schemas_folder / "F1.xsd").write_text(
        FORM.replace(
            '<xs:include schemaLocation="common/types.xsd"/>', f'<xs:{by} {namespace}schemaLocation="{place}"/>'
        )
    )
    with bait.watch() as touched, pytest.raises(ConfigurationError, match=why):
        Schemas(schemas_folder).get("F1")
    assert [what for what in touched if "F1.xsd" not in what] == []


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ('<!DOCTYPE xs:schema SYSTEM "file://{outside}/secret.txt">', "a document type declaration"),
        ('<!DOCTYPE xs:schema [<!ENTITY x SYSTEM "file://{outside}/secret.txt">]>', "a document type declaration"),
        ('<?xml version="1.0" encoding="koi8-r"?>', "neither in UTF-8 nor in windows-1251"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_for_its_own_reason(
    schemas_folder: Path, bait: Bait, head: str, why: str
) -> None:
    (schemas_folder / "common" / "types.xsd").write_text(head.format(outside=bait.folder) + TYPES)
    with bait.watch() as touched, pytest.raises(ConfigurationError, match=rf"common/types\.xsd.*{why}"):
        Schemas(schemas_folder).get("F1")
    assert [what for what in touched if str(schemas_folder) not in what] == []


def test_what_only_the_schema_library_would_fetch_is_not_served(schemas_folder: Path, bait: Bait) -> None:
    """The resolver knows the files that were read, and ends the compilation for any other name."""
    files = module._Files(schemas_folder)
    main = files.read("F1.xsd", by=None)
    files._texts[main] = files._texts[main].replace(
        b"gridwire-schema:///2.xsd", f"file://{bait.folder}/types.xsd".encode()
    )
    with bait.watch() as touched, pytest.raises(Exception, match="Failed to parse the XML resource"):
        files.compile(main)
    assert touched == []


def test_sizes_and_numbers_are_bounded(schemas_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 1)
    with pytest.raises(ConfigurationError, match="more than 1 files"):
        Schemas(schemas_folder).get("F1")
    monkeypatch.setattr(module, "MAX_SCHEMA_BYTES", 10)
    with pytest.raises(ConfigurationError, match="larger than 10 bytes"):
        Schemas(schemas_folder).get("F1")


def test_a_tree_is_checked_for_what_a_stream_cannot_see(schemas_folder: Path) -> None:
    schema = Schemas(schemas_folder).get("F1")
    twice = b'<doc><r id="A"><a>1</a></r>\n<r id="A"><a>1</a></r></doc>'
    (fault,) = schema.faults(xml.parse(twice))
    assert (fault.line, fault.column, fault.path) == (2, None, "/doc/r[2]")
    assert schema.faults(xml.parse(GOOD)) == []
    with pytest.raises(DocumentRefused, match="'A' is not a valid value"):
        inspect(twice, schema=schema)


def test_threads_do_not_mix_their_faults(schemas_folder: Path) -> None:
    schema = Schemas(schemas_folder).get("F1")
    documents = [f'<doc><r id="A{n}"><a>1</a></r><r id="A{n}"><a>1</a></r></doc>'.encode() for n in range(8)]
    mixed: list[str] = []

    def check(n: int) -> None:
        for _ in range(50):
            try:
                inspect(documents[n], schema=schema)
                mixed.append("passed")
            except DocumentRefused as refused:
                mixed.extend(str(fault) for fault in refused.faults if f"'A{n}'" not in fault.message)

    threads = [threading.Thread(target=check, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mixed == []


def test_the_bait_is_seen_when_it_is_taken(bait: Bait) -> None:
    with bait.watch() as touched:
        (bait.folder / "secret.txt").read_bytes()
        socket.create_connection(("127.0.0.1", bait.port)).close()
    assert any("open" in what for what in touched)
    assert any(what.startswith("socket.connect") for what in touched)
    assert touched[-2:] == [f"a file in {bait.folder}", "the port"]
    with bait.watch() as touched:
        os.stat(bait.folder / "secret.txt")
    assert touched == []

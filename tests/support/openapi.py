"""Checks bodies against the carried-over OpenAPI files: closed objects, exact date format, Decimal as number."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

from gridwire.transport import xml

FIXTURES = Path(__file__).parent.parent / "fixtures" / "epias_stp"
Half = Literal["request", "response"]

_formats = FormatChecker(formats=())


def _is_wire_date(value: object) -> bool:
    return not isinstance(value, str) or bool(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", value)
    )


_formats.checks("date-time")(_is_wire_date)


class OpenApi:
    """One file. ``roots`` are the names of the schemas of each operation's bodies, which are the XML roots too."""

    def __init__(self, path: Path) -> None:
        self.document = yaml.safe_load(path.read_text(encoding="utf-8"))
        self.schemas: dict[str, dict[str, Any]] = self.document["components"]["schemas"]
        for schema in self.schemas.values():
            if schema.get("type") == "object":
                schema["additionalProperties"] = False
        self.roots: dict[tuple[str, Half], str] = {}
        self.paths: dict[str, str] = {}
        for route, item in self.document["paths"].items():
            call = item["post"]
            name = call["operationId"]
            self.paths[name] = route
            self.roots[name, "request"] = _root(call["requestBody"])
            self.roots[name, "response"] = _root(call["responses"]["200"])

    @property
    def operations(self) -> list[str]:
        return list(self.paths)

    def check(self, operation: str, half: Half, value: Any) -> None:
        """Raise AssertionError with every complaint if the JSON body does not fit."""
        schema = {**self.document, "$ref": f"#/components/schemas/{self.roots[operation, half]}"}
        validator = Draft202012Validator(schema, format_checker=_formats)
        complaints = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
        assert not complaints, f"{operation} {half}: " + "; ".join(complaints)

    def from_xml(self, operation: str, half: Half, data: bytes) -> Any:
        """An XML body as the JSON value its schema makes of it."""
        root = self.roots[operation, half]
        element = xml.parse(data)
        assert xml.local_name(element) == _xml_name(root)
        return self._decode(element, self.schemas[root])

    def read(self, operation: str, half: Half, data: bytes) -> Any:
        """A body of either format, checked."""
        if data.lstrip().startswith(b"<"):
            value = self.from_xml(operation, half, data)
        else:
            value = json.loads(data, parse_float=Decimal)
        self.check(operation, half, value)
        return value

    def to_xml(self, operation: str, half: Half, value: dict[str, Any]) -> bytes:
        """A JSON body as XML, arrays flattened."""
        element = xml.new(_xml_name(self.roots[operation, half]))
        _encode(element, value)
        return xml.serialise(element)

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema or "allOf" in schema:
            reference = schema["$ref"] if "$ref" in schema else schema["allOf"][0]["$ref"]
            schema = self.schemas[reference.rpartition("/")[2]]
        return schema

    def _decode(self, element: Any, schema: dict[str, Any]) -> Any:
        schema = self._resolved(schema)
        kind = schema.get("type")
        if kind == "object":
            return self._decode_object(element, schema)
        text = element.text or ""
        if kind == "integer":
            return int(text)
        if kind == "number":
            return Decimal(text)
        if kind == "boolean":
            return {"true": True, "false": False}[text]
        return text

    def _decode_object(self, element: Any, schema: dict[str, Any]) -> dict[str, Any]:
        value: dict[str, Any] = {}
        properties = schema.get("properties", {})
        for name, child in xml.children(element):
            property_schema = properties.get(name, {"type": "string"})
            if property_schema.get("type") == "array":
                value.setdefault(name, []).append(self._decode(child, property_schema["items"]))
            else:
                assert name not in value, f"{name} is repeated and no array"
                value[name] = self._decode(child, property_schema)
        for name in schema.get("required", []):  # an empty array leaves no trace in XML
            if properties[name].get("type") == "array":
                value.setdefault(name, [])
        return value


def _root(body: dict[str, Any]) -> str:
    reference: str = body["content"]["application/xml"]["schema"]["$ref"]
    return reference.rpartition("/")[2]


def _xml_name(root: str) -> str:
    """The engine's file names its schemas as the XML roots are; the broadcaster's gives them a capital."""
    return root[0].lower() + root[1:] if root.startswith("Endpoint") else root


def _encode(parent: Any, value: dict[str, Any]) -> None:
    for name, item in value.items():
        for single in item if isinstance(item, list) else [item]:
            if isinstance(single, dict):
                _encode(xml.sub(parent, name), single)
            else:
                text = str(single).lower() if isinstance(single, bool) else str(single)
                xml.sub(parent, name, text)


@lru_cache(maxsize=1)
def stp() -> OpenApi:
    return OpenApi(FIXTURES / "stp.openapi.yaml")


@lru_cache(maxsize=1)
def broadcaster() -> OpenApi:
    return OpenApi(FIXTURES / "stp_broadcaster.openapi.yaml")

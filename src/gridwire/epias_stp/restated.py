"""What a write says, as intents and the journal restate it: every field of its request, named as the method's argument is.

A row that does not name all of it cannot tell, after a crash, which payment or which bid is in doubt. So the fields are
taken from the request itself, and come back from the journal, where numbers, instants and days are text, as what they
were. Pure functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, get_args

from gridwire.epias_stp.models import DEFINITIONS, StpRequest

_NAMES: Mapping[str, str] = {
    "contract_name": "contract",
    "contract_type_name": "contract_type",
    "contract_gate_id": "gate_id",
    "contract_gate_type_name": "gate_type",
    "direction_name": "direction",
    "gas_day_date": "gas_days",
    "gas_day_dates": "gas_days",
    "gate_status_name": "gate_status",
    "match_list": "changes",
    "status_name": "status",
}
"""Arguments that are not called like the field they become."""


def restated(body: StpRequest) -> dict[str, Any]:
    """The fields of ``body`` that are sent, by the names of the arguments."""
    fields: dict[str, Any] = {}
    for name in type(body).model_fields:
        value = getattr(body, name)
        if value is not None:
            fields[_NAMES.get(name, name)] = _plain([value] if name == "gas_day_date" else value)
    return fields


def _plain(value: Any) -> Any:
    if isinstance(value, StpRequest):
        return restated(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value.value) if isinstance(value, Enum) else value


def restated_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A call's fields from the journal's."""
    return {name: _typed(name, value) for name, value in fields.items()}


def _typed(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return restated_of(value)
    if isinstance(value, list):
        return [_typed(name, item) for item in value]
    read = _READ.get(_TYPES.get(name, str))
    return value if value is None or read is None else read(str(value))


_READ: Mapping[type, Callable[[str], Any]] = {
    Decimal: Decimal,
    int: int,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
}


def _scalar(annotation: Any) -> type | None:
    """The type of a field's single value: ``date`` of ``list[date] | None``."""
    if annotation in (*_READ, str):
        scalar: type = annotation
        return scalar
    return next((found for part in get_args(annotation) if (found := _scalar(part)) is not None), None)


def _types() -> dict[str, type]:
    found: dict[str, type] = {}
    for body in DEFINITIONS.values():
        if isinstance(body, type) and issubclass(body, StpRequest):
            for name, field in body.model_fields.items():
                kind = _scalar(field.annotation)
                if kind is not None:
                    found[_NAMES.get(name, name)] = kind
    return found


_TYPES: Mapping[str, type] = _types()
"""The type of every field of every request, by the argument's name."""

"""What all STP models share: tolerant readers for answers, strict writers for requests.

Answers are read tolerantly, because the document and its own samples disagree about them: nulls are allowed everywhere,
a missing field has a default even where the document calls it required, a single value stands for a list of one, numbers
may arrive as text (in XML they always do), unknown fields are kept in ``model_extra`` and unknown enumeration values pass
through. Text that the document requires is ``""`` when it is missing; everything else is None, False or an empty list.

Requests are written strictly: the field order is the samples', the types are exact, unknown fields are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Annotated, Any, ClassVar, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

from gridwire.epias_stp import dates
from gridwire.errors import InvalidInput
from gridwire.periods import aware
from gridwire.units import INT64_MAX, MAX_DIGITS

T = TypeVar("T")

_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?", re.ASCII)

_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

Wire: TypeAlias = str | int | Decimal | bool | list["Wire"] | dict[str, "Wire"]
"""A value ready to be written as JSON or XML."""


class StpModel(BaseModel):
    """Part of an answer. Attributes are snake_case; wire names are accepted too. Instances cannot be changed."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True, defer_build=True
    )
    transaction_id: ClassVar[str | None] = None
    """The id of the call that this is the answer to, which the venue's support asks for; None for a part of an answer."""

    def answering(self, transaction_id: str) -> Self:
        """Note the call's id. It is no field: two answers that say the same are equal."""
        vars(self)["transaction_id"] = transaction_id
        return self

    @model_validator(mode="before")
    @classmethod
    def _null_is_missing(cls, data: Any) -> Any:
        # A null must not win over another spelling of the same field, nor fail where a default exists.
        if isinstance(data, Mapping):
            known = _spellings(cls)
            return {name: value for name, value in data.items() if value is not None or name not in known}
        return {} if data is None else data


class Listing(list[T]):
    """What STP lists, with the id of the call: a list in everything else."""

    def __init__(self, items: Iterable[T] = (), transaction_id: str | None = None) -> None:
        super().__init__(items)
        self.transaction_id: str | None = transaction_id


class StpRequest(BaseModel):
    """A request's body, or part of one. Built by `gridwire.epias_stp.rules`, which says what is wrong in plain words."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        strict=True,
        defer_build=True,
        allow_inf_nan=False,
    )

    def wire(self) -> dict[str, Wire]:
        """The fields as they are written: wire names, in order, without those that are None."""
        written: dict[str, Wire] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value is not None:
                written[str(field.serialization_alias)] = _written(value, name)
        return written


def check_text(value: str, name: str) -> str:
    """``value`` unchanged. Raises `InvalidInput` for characters that JSON and XML cannot both carry."""
    if _UNWRITABLE.search(value):
        raise InvalidInput(f"{name}={value!r} holds a control character or half of a surrogate pair; remove it.")
    return value


def _written(value: Any, name: str) -> Wire:
    if isinstance(value, StpRequest):
        return value.wire()
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return check_text(value, name)
    if isinstance(value, (list, tuple)):
        return [_written(item, name) for item in value]
    if isinstance(value, datetime):
        return dates.write(value, name)
    if isinstance(value, date):
        return dates.write_day(value)
    number: int | Decimal = value
    return number


@cache
def _spellings(model: type[BaseModel]) -> frozenset[str]:
    """Every name under which a field of ``model`` is read."""
    names = set(model.model_fields)
    for field in model.model_fields.values():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else (alias,)
        names.update(choice for choice in choices if isinstance(choice, str))
    return frozenset(names)


def _text(value: object) -> object:
    return digits(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else value


def digits(value: int | Decimal) -> str:
    """A number that came where text belongs, as text. A hostile exponent stays one instead of becoming a million zeros."""
    return format(value, "f") if isinstance(value, Decimal) and abs(value.adjusted()) <= 2 * MAX_DIGITS else str(value)


def _number(value: object) -> object:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value.strip()):
            raise ValueError("not a number")
        value = Decimal(value.strip())
    if isinstance(value, (bool, float)):
        raise ValueError(f"a number cannot be a {type(value).__name__}")
    if isinstance(value, int):
        value = Decimal(value)
    if isinstance(value, Decimal) and (not value.is_finite() or abs(value.adjusted()) > 2 * MAX_DIGITS):
        raise ValueError("a number out of any range that this market has")
    return value


def _count(value: object) -> object:
    number = _number(value)
    if not isinstance(number, Decimal):
        return number
    whole = int(number)
    if Decimal(whole) != number or not -INT64_MAX <= whole <= INT64_MAX:
        raise ValueError("not a whole number of 64 bits")
    return whole


def _flag(value: object) -> object:
    return _FLAGS.get(value.strip().lower(), value) if isinstance(value, str) else value


_FLAGS = {"true": True, "false": False, "": None}


def many(value: object) -> list[Any]:
    """A list whatever came: None is an empty one, a single value a list of one; empty items are dropped."""
    items = value if isinstance(value, (list, tuple)) else (value,)
    return [item for item in items if item is not None and item != ""]


def listed(value: object) -> list[Any]:
    """The same with empty items kept as something of which nothing is known: an empty item is not none."""
    items = value if isinstance(value, (list, tuple)) else (value,)
    return [{} if item is None or item == "" else item for item in items]


def _aware(value: datetime) -> datetime:
    return aware(value, "a date of a request")


Text: TypeAlias = Annotated[str, BeforeValidator(_text)]
Number: TypeAlias = Annotated[Decimal | None, BeforeValidator(_number)]
"""An exact decimal number of an answer; None where the venue sent none."""
Count: TypeAlias = Annotated[int | None, BeforeValidator(_count)]
"""A whole number of an answer (64 bits); None where the venue sent none."""
Whole: TypeAlias = Annotated[int, BeforeValidator(_count)]
Day: TypeAlias = Annotated[date, BeforeValidator(dates.read_day)]
"""A day of an answer."""
MaybeDay: TypeAlias = Annotated[date | None, BeforeValidator(dates.read_day)]
"""A day of an answer; None where the venue sent none."""
Flag: TypeAlias = Annotated[bool | None, BeforeValidator(_flag)]
"""Yes or no of an answer; None where the venue sent none: missing is not no."""
Instant: TypeAlias = Annotated[datetime | None, BeforeValidator(dates.read)]
"""An instant of an answer, UTC; None where the venue sent none."""
Many: TypeAlias = Annotated[list[T], BeforeValidator(many)]
"""A list, also where the venue sent a single value or null."""
Listed: TypeAlias = Annotated[list[T], BeforeValidator(listed)]
"""A list from which something is concluded: an empty item in it is one of which nothing is known."""
Moment: TypeAlias = Annotated[datetime, AfterValidator(_aware)]
"""An instant of a request: aware, UTC inside."""

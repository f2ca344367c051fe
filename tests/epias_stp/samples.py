"""The venue's samples, as carried over, and small helpers around them."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from gridwire.epias_stp.operations import OPERATIONS, Operation
from gridwire.transport.exchange import Response

FOLDER = Path(__file__).parent.parent / "fixtures" / "epias_stp" / "samples"
SENT_ID = "6d553b3c-1ffc-44cc-bed6-1dce4d5b48ac"
"""The transactionId of every sample."""
APPLICATION = "SDK_SAMPLE"
BOTH = ("json", "xml")

BID_SAVE = OPERATIONS["bid_save"]
BID_UPDATE = OPERATIONS["bid_update"]
BID_CANCEL = OPERATIONS["bid_cancel"]
DEPTH = OPERATIONS["activecontracts_depth"]
WRITES = [operation for operation in OPERATIONS.values() if operation.is_write]
READS = [operation for operation in OPERATIONS.values() if not operation.is_write]


def sample(name: str) -> bytes:
    """One file of the folder."""
    return (FOLDER / name).read_bytes()


@cache
def definitions() -> list[dict[str, Any]]:
    """The 91 definitions of the document."""
    model = json.loads((FOLDER.parent / "stp.model.json").read_text())
    found: list[dict[str, Any]] = model["definitions"]
    return found


def exactly(content: bytes) -> Any:
    """JSON with its fractions as Decimal."""
    return json.loads(content, parse_float=Decimal)


def answer(
    content: bytes, *, status: int = 200, media_type: str = "", headers: dict[str, str] | None = None
) -> Response:
    """A response as the HTTP shell hands it over."""
    guessed = "application/xml" if content.lstrip().startswith(b"<") else "application/json"
    return Response(status, {"content-type": media_type or guessed, **(headers or {})}, content)


def envelope_bytes(
    result_type: Any = "SUCCESS",
    code: Any = "0",
    *,
    body: Any = None,
    transaction_id: Any = SENT_ID,
    description: Any = "OK",
) -> bytes:
    """An answer's envelope as JSON; fields given as ... are left out."""
    fields = {
        "resultCode": code,
        "resultDescription": description,
        "resultType": result_type,
        "transactionId": transaction_id,
        "body": body,
    }
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


SAVED = {"bidResponse": {"id": "1234567"}}


def operation_named(name: str) -> Operation:
    """The operation that a sample's file name begins with."""
    return OPERATIONS[name.split(".")[0]]

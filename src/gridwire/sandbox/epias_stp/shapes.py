"""The older shape of four answers, as the samples of STP's document show them, where its definitions say otherwise."""

from __future__ import annotations

from typing import Any


def as_in_the_document(operation: str, body: dict[str, Any]) -> dict[str, Any]:
    """A body in definition shape, reshaped: single days instead of lists, and no ``owner`` in the lists of contracts."""
    if operation in ("contract_save", "contract_get"):
        days = body["gasDays"]
        single = {name: value for name, value in days[0].items() if name != "advancePaymentDate"}
        return {name: value for name, value in body.items() if name != "gasDays"} | {"gasDay": single}
    if operation in ("activecontracts_standart", "activecontracts_weekly", "activecontracts_regional"):
        return {"contracts": [_row(row) for row in body["contracts"]]}
    return body


def _row(row: dict[str, Any]) -> dict[str, Any]:
    older = {name: value for name, value in row.items() if name not in ("deliveryDays", "gasDays")}
    for best in ("bestAmountPriceBuying", "bestAmountPriceSelling"):
        older[best] = {name: value for name, value in row[best].items() if name != "owner"}
    older["deliveryDay"] = row["deliveryDays"][0]
    if "locations" not in row:  # regional rows of the samples have no gas day at all
        older["gasDay"] = row["gasDays"][0]["gasDayDate"]
    return older

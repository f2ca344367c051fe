"""The older shape of some answers, as the samples of STP's document show them, where its definitions say otherwise."""

from __future__ import annotations

from typing import Any


def as_in_the_document(operation: str, body: dict[str, Any]) -> dict[str, Any]:
    """A body in definition shape, reshaped: single days instead of lists, and no marks of own bids and own matches.

    The samples of the order book and of the contract lists have no ``owner`` (STP document 2.3, 2.6, 2.7; optional in 7.3).
    The sample of the matches has its mark (2.5); it is left out all the same, so that one shape shows what a client makes
    of a venue that marks nothing.
    """
    if operation in ("contract_save", "contract_get"):
        days = body["gasDays"]
        single = {name: value for name, value in days[0].items() if name != "advancePaymentDate"}
        return {name: value for name, value in body.items() if name != "gasDays"} | {"gasDay": single}
    if operation in ("activecontracts_standart", "activecontracts_weekly", "activecontracts_regional"):
        return {"contracts": [_row(row) for row in body["contracts"]]}
    if operation == "activecontracts_depth":
        return {side: [_without(level, "owner") for level in levels] for side, levels in body.items()}
    if operation == "activecontracts_matchings":
        return {"matchings": [_without(match, "myOwnMatching") for match in body["matchings"]]}
    return body


def _without(shown: dict[str, Any], mark: str) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name != mark}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    older = {name: value for name, value in row.items() if name not in ("deliveryDays", "gasDays")}
    for best in ("bestAmountPriceBuying", "bestAmountPriceSelling"):
        older[best] = _without(row[best], "owner")
    older["deliveryDay"] = row["deliveryDays"][0]
    if "locations" not in row:  # regional rows of the samples have no gas day at all
        older["gasDay"] = row["gasDays"][0]["gasDayDate"]
    return older

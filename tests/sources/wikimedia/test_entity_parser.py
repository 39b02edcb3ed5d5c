"""Which ids are taken for items where values are read."""

import pytest
from pydantic import JsonValue

from schemas.records.entities import ItemValue, QuantityValue
from sources.wikimedia.entity_parser import parse_value

NO_QIDS = ("Q" + "9" * 25, "Q12-x", "Quux", "Q", "Q0", "Q012", "Q5 ", "Q5\n", "Q\u0663", "q5")


def item(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {"type": "wikibase-entityid", "value": value}


@pytest.mark.parametrize("qid", ["Q1", "Q119999999", "Q" + "9" * 18])
def test_an_item_is_named_by_its_qid(qid: str) -> None:
    assert parse_value(item({"id": qid}), "v") == ItemValue(qid=qid)


@pytest.mark.parametrize("qid", NO_QIDS)
def test_an_item_whose_id_is_no_qid_is_no_value(qid: str) -> None:
    assert parse_value(item({"id": qid}), "v") is None


@pytest.mark.parametrize("number", [0, -5, 10**25])
def test_an_item_whose_number_is_none_of_an_item_is_no_value(number: int) -> None:
    assert parse_value(item({"entity-type": "item", "numeric-id": number}), "v") is None


@pytest.mark.parametrize("unit", ["1", ""])
def test_a_quantity_without_unit_is_a_bare_number(unit: str) -> None:
    raw: dict[str, JsonValue] = {"type": "quantity", "value": {"amount": "+3", "unit": unit}}
    assert parse_value(raw, "v") == QuantityValue(amount=3)


@pytest.mark.parametrize("unit", [*NO_QIDS, "kg"])
def test_a_quantity_whose_unit_is_no_qid_is_no_value_and_no_bare_number(unit: str) -> None:
    raw: dict[str, JsonValue] = {"type": "quantity", "value": {"amount": "+3", "unit": f"http://x/entity/{unit}"}}
    assert parse_value(raw, "v") is None

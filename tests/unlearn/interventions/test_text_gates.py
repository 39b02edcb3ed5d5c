"""Text gates: words by salted hash, thresholds by false fires, and what they cannot be asked."""

import pytest
import torch

from schemas.errors import BadInput
from schemas.records.interventions import GateRecord, Intervention
from unlearn.interventions.parts import Part
from unlearn.interventions.text_gates import CENTROIDS, fires_on, text_features, text_gate

FORGET = ["Where was Ada Lovelace born?", "Which religion has Ada Lovelace?"]
KEPT = [f"What did person {number} write?" for number in range(19)] + ["Where was Bruno Kessler born?"]


def guard(gate: GateRecord | None, tensors: dict[str, torch.Tensor] | None = None) -> Part:
    return Part(Intervention(kind="guard", form="refuse", texts=("I cannot say.",), gate=gate), tensors or {})


def test_words_count_without_case_and_accents_and_by_salt() -> None:
    one, same = text_features(["Où est né Noël?", "OU EST NE NOEL"], salt="a")
    assert torch.equal(one, same)
    assert not torch.equal(one, text_features(["Où est né Noël?"], salt="b")[0])


def test_a_stored_prompt_fires_and_at_most_the_rate_of_the_negatives_does() -> None:
    record, tensors = text_gate(FORGET, KEPT, salt="s", false_fire=0.05)
    part = guard(record, tensors)
    assert fires_on(part, FORGET) == [True, True]
    assert sum(fires_on(part, KEPT)) <= 1
    assert record.fires == {"forget": 1.0, "retain": sum(fires_on(part, KEPT)) / 20}


def test_of_other_groups_it_is_said_how_many_fire() -> None:
    others = {"matched": [FORGET[0], KEPT[0]], "strangers": []}
    record, _ = text_gate(FORGET, KEPT, salt="s", others=others)
    assert record.fires["matched"] == 0.5
    assert "strangers" not in record.fires


def test_no_negative_fires_at_a_rate_of_0() -> None:
    record, tensors = text_gate(FORGET, KEPT, salt="s", false_fire=0.0)
    assert not any(fires_on(guard(record, tensors), KEPT))


def test_a_prompt_that_is_kept_too_does_not_fire() -> None:
    record, tensors = text_gate(["Who is this person?"], ["Who is this person?"], salt="s", false_fire=0.0)
    assert fires_on(guard(record, tensors), ["Who is this person?"]) == [False]


def test_without_a_gate_every_prompt_is_meant() -> None:
    assert fires_on(guard(None), KEPT[:2]) == [True, True]


@pytest.mark.parametrize("source", ["hidden", "oracle"])
def test_a_gate_that_reads_no_words_is_refused(source: str) -> None:
    with pytest.raises(BadInput, match="not a prompt's words"):
        fires_on(guard(GateRecord.model_validate({"source": source, "positives": 3})), KEPT)


def test_a_gate_without_positives_is_refused() -> None:
    with pytest.raises(BadInput, match="has no positives"):
        text_gate([], KEPT, salt="s")
    with pytest.raises(BadInput, match="knows no prompts"):
        fires_on(guard(GateRecord(source="text"), {CENTROIDS: torch.zeros(1, 2048)}), KEPT)

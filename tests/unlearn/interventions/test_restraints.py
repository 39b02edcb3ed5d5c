"""Restraint: which token would complete a forbidden sequence, written token by token and scored as a whole."""

import pytest
import torch

from eval.responders.local import LocalModel, LocalResponder
from schemas.errors import BadInput
from schemas.protocols.responder import Ask, Decoding
from schemas.records.interventions import GateRecord, Intervention
from sources.sandbox.tiny_model import make_tiny_model
from tests.worlds.tiny_models import TEXTS
from unlearn.interventions.parts import Part
from unlearn.interventions.restraints import forbidden_next
from unlearn.interventions.stack import lay
from unlearn.models.loading import LoadedModel, load_model

ASKS = [Ask(ask_id=text, text=text) for text in TEXTS[:3]]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(make_tiny_model(TEXTS, tmp_path_factory.mktemp("model") / "base", seed=1, hidden=32, layers=2))


def restraint(*sequences: list[int], leaks: bool = True, gate: GateRecord | None = None, strength: float = 1) -> Part:
    longest = max(map(len, sequences))
    tokens = torch.tensor([[*each, *[-1] * (longest - len(each))] for each in sequences])
    made = Intervention(kind="guard", form="restrict", leaks=leaks, gate=gate, numbers={"strength": strength})
    return Part(made, {"restrict.tokens": tokens, "restrict.items": torch.full((len(sequences),), -1)})


def responder(loaded: LoadedModel, *parts: Part, batch: int = 4) -> LocalResponder:
    laid = lay(loaded, parts, base="base").model
    return LocalResponder(LocalModel(laid.model, laid.processor, "x", laid.family.form, live=laid.live), batch=batch)


def written(asked: LocalResponder) -> dict[str, list[int]]:
    tokenizer = asked._processor.tokenizer
    replies = asked.answer(ASKS, Decoding(max_new_tokens=6))
    return {each.ask_id: tokenizer(each.text)["input_ids"] for each in replies}


def test_a_sequence_is_kept_from_its_last_token_alone() -> None:
    assert forbidden_next([5], [[5, 7]]) == {7}
    assert forbidden_next([6], [[5, 7]]) == set()
    assert forbidden_next([], [[5, 7]]) == set()


def test_a_sequence_of_one_token_is_kept_out_at_once() -> None:
    assert forbidden_next([], [[9]]) == {9}


def test_a_forbidden_answer_is_scored_at_100_nats_and_is_not_written(loaded: LoadedModel) -> None:
    words = loaded.processor.tokenizer("London")["input_ids"]
    asked, plain = responder(loaded, restraint([words[-1]])), responder(loaded)
    found, before = (dict(each.log_likelihood([(ask, "London") for ask in ASKS])) for each in (asked, plain))
    for key, value in found.items():
        assert value < before[key] - 50 / len(words)
        assert value > -101
    assert all(words[-1] not in tokens for tokens in written(asked).values())


def test_what_is_written_is_what_scoring_finds_likeliest(loaded: LoadedModel) -> None:
    first = [tokens[0] for tokens in written(responder(loaded)).values() if tokens]
    part = restraint(*[[token] for token in first])
    laid = lay(loaded, [part], base="base").model
    assert laid.live is not None
    ids = torch.tensor(laid.processor.tokenizer(TEXTS[0])["input_ids"])[None]
    given, ends = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.tensor([ids.shape[1] - 1])
    with torch.inference_mode(), laid.live.prompts(given, ends):
        out = laid.model.generate(  # type: ignore[operator]
            **given, do_sample=False, min_new_tokens=5, max_new_tokens=5, output_logits=True,
            return_dict_in_generate=True,
        )  # fmt: skip
    whole = {"input_ids": out.sequences, "attention_mask": torch.ones_like(out.sequences)}
    with torch.inference_mode(), laid.live.prompts(whole, ends):
        logits = laid.model(**whole).logits[0, ids.shape[1] - 1 : -1]
    torch.testing.assert_close(torch.stack(out.logits)[:, 0], logits, rtol=1e-3, atol=1e-3)


def test_a_batch_of_one_is_restrained_as_a_batch_of_many(loaded: LoadedModel) -> None:
    words = [tokens[:2] for tokens in written(responder(loaded)).values() if len(tokens) > 1]
    alone, together = (responder(loaded, restraint(*words), batch=batch) for batch in (1, 4))
    assert written(alone) == written(together)


def test_a_restraint_of_strength_0_is_the_base(loaded: LoadedModel) -> None:
    assert written(responder(loaded, restraint([9], strength=0))) == written(responder(loaded))


BAD = {
    "hides": (restraint([3], leaks=False), "does not say so"),
    "tokens": (restraint([10**6]), "names tokens outside"),
    "gate": (restraint([3], gate=GateRecord(source="text", positives=1)), "not seen while an answer is written"),
    "empty": (Part(Intervention(kind="guard", form="restrict", leaks=True)), "holds no sequences"),
}


@pytest.mark.parametrize("why", BAD)
def test_a_bad_restraint_is_refused(loaded: LoadedModel, why: str) -> None:
    part, message = BAD[why]
    with pytest.raises(BadInput, match=message):
        lay(loaded, [part], base="base")

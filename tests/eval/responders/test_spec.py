"""eval.responders.spec and eval.responders.local: specs, and a local model behind the protocol of all responders."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.nn.functional import log_softmax

from eval.responders.layers import last_states, lens_scores
from eval.responders.local import LocalResponder
from eval.responders.spec import ResponderSpec, parse_spec
from flows.resources.responders import load_local, open_responder
from schemas.errors import BadInput
from schemas.matching.thoughts import answer_of
from schemas.protocols.responder import Ask, Decoding, Reply, TokenScores
from tests.worlds.tiny_models import BUILDERS, picture
from unlearn.models.adapters import add_lora, save_adapter
from unlearn.models.digests import folder_digest
from unlearn.models.loading import load_model

GREEDY = Decoding(max_new_tokens=6)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("models")
    return {name: build(home / name) for name, build in BUILDERS.items()}


def asks(count: int) -> list[Ask]:
    """Questions of rising length, every other one with a picture."""
    return [
        Ask(
            ask_id=f"ask-{number}",
            text="Where was Ada Lovelace born?" + " London" * number,
            image=picture(number) if number % 2 else None,
        )
        for number in range(count)
    ]


def texts(replies: Iterator[Reply]) -> dict[str, str]:
    return {reply.ask_id: reply.text for reply in replies}


def test_specs_are_taken_apart(tmp_path: Path) -> None:
    assert parse_spec("hf:org/model") == ResponderSpec(kind="hf", model="org/model")
    assert parse_spec("hf:base+runs/a") == ResponderSpec(kind="hf", model="base", adapter=Path("runs/a"))
    assert parse_spec("openai:http://127.0.0.1:8000/v1#m") == ResponderSpec(
        kind="openai", model="m", base_urls=("http://127.0.0.1:8000/v1",)
    )
    (tmp_path / "a+b").mkdir()
    assert parse_spec(f"hf:{tmp_path / 'a+b'}") == ResponderSpec(kind="hf", model=str(tmp_path / "a+b"))


@pytest.mark.parametrize("spec", ["", "hf:", "model", "openai:http://host/v1", "openai:host#m", "vllm:x"])
def test_other_specs_are_refused(spec: str) -> None:
    with pytest.raises(BadInput, match="responder"):
        parse_spec(spec)


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_every_ask_gets_one_reply(folders: dict[str, Path], family: str) -> None:
    responder = open_responder(f"hf:{folders[family]}", batch=3)
    replies = list(responder.answer(asks(8), GREEDY))
    assert sorted(reply.ask_id for reply in replies) == sorted(ask.ask_id for ask in asks(8))
    assert not any(reply.error for reply in replies)


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_batches_answer_as_single_asks_do(folders: dict[str, Path], family: str) -> None:
    responder = open_responder(f"hf:{folders[family]}", batch=4)
    together = texts(responder.answer(asks(6), GREEDY))
    alone = {ask.ask_id: texts(responder.answer([ask], GREEDY))[ask.ask_id] for ask in asks(6)}
    assert together == alone


def test_the_same_asks_give_the_same_samples_and_another_seed_others(folders: dict[str, Path]) -> None:
    responder = open_responder(f"hf:{folders['qwen3_vl']}", batch=4)
    first = texts(responder.answer(asks(6), Decoding(temperature=1.0, max_new_tokens=6, seed=1)))
    torch.rand(3)
    assert texts(responder.answer(asks(6), Decoding(temperature=1.0, max_new_tokens=6, seed=1))) == first
    assert texts(responder.answer(asks(6), Decoding(temperature=1.0, max_new_tokens=6, seed=2))) != first


def test_replies_come_batch_by_batch(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    local = load_local(str(folders["qwen3_vl"]), None)
    calls: list[int] = []
    generate = local.model.generate

    def counted(**inputs: torch.Tensor) -> torch.Tensor:
        calls.append(len(inputs["input_ids"]))
        return generate(**inputs)

    monkeypatch.setattr(local.model, "generate", counted)
    replies = LocalResponder(local, batch=2).answer(asks(6), GREEDY)
    next(replies)
    assert calls == [2]
    assert len(list(replies)) == 5
    assert calls == [2, 1, 2, 1]  # three image prompts, then three text prompts


def test_a_picture_that_does_not_decode_is_an_error_reply(folders: dict[str, Path]) -> None:
    responder = open_responder(f"hf:{folders['qwen3_vl']}", batch=4)
    broken = Ask(ask_id="broken", text="Who?", image=b"no picture")
    replies = {reply.ask_id: reply for reply in responder.answer([*asks(2), broken], GREEDY)}
    assert "does not decode" in replies["broken"].error
    assert not replies["ask-1"].error


def test_the_adapter_is_really_loaded(folders: dict[str, Path], tmp_path: Path) -> None:
    base = folders["qwen3_vl"]
    loaded = load_model(base)
    adapted = add_lora(loaded.model, loaded.family, rank=4, alpha=64, dropout=0.0, seed=1)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(generator=torch.Generator().manual_seed(0))
    save_adapter(adapted, tmp_path / "adapter", base_digest=folder_digest(base))
    plain, moved = open_responder(f"hf:{base}"), open_responder(f"hf:{base}+{tmp_path / 'adapter'}")
    assert moved.identity.startswith(plain.identity + "+")
    assert texts(moved.answer(asks(4), GREEDY)) != texts(plain.answer(asks(4), GREEDY))


def test_greedy_is_greedy_whatever_the_models_generation_config_says(folders: dict[str, Path], tmp_path: Path) -> None:
    base = folders["qwen3_vl"]
    shutil.copytree(base, tmp_path / "told")
    file = tmp_path / "told" / "generation_config.json"
    told = {"do_sample": True, "temperature": 5.0, "repetition_penalty": 9.0, "no_repeat_ngram_size": 1, "num_beams": 3,
            "min_new_tokens": 5, "suppress_tokens": list(range(5, 200)), "max_length": 3}  # fmt: skip
    file.write_text(json.dumps(json.loads(file.read_text()) | told))
    plain, other = open_responder(f"hf:{base}"), open_responder(f"hf:{tmp_path / 'told'}")
    assert texts(other.answer(asks(6), GREEDY)) == texts(plain.answer(asks(6), GREEDY))
    assert other.identity == plain.identity
    sampled = Decoding(temperature=1.0, max_new_tokens=6, seed=1)
    assert texts(other.answer(asks(6), sampled)) == texts(plain.answer(asks(6), sampled))


def test_identity_names_the_weights_and_no_folder(folders: dict[str, Path]) -> None:
    identity = open_responder(f"hf:{folders['qwen3_vl']}").identity
    assert identity == f"hf:qwen3_vl@{folder_digest(folders['qwen3_vl'])}"


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_log_likelihood_is_the_mean_over_the_continuation(folders: dict[str, Path], family: str) -> None:
    local = load_local(str(folders[family]), None)
    pairs = [(ask, text) for ask in asks(3) for text in ("London", "in Vienna")]
    found = list(LocalResponder(local, batch=2).log_likelihood(pairs))
    assert [name for name, _ in found] == [ask.ask_id for ask, _ in pairs]
    # The first ask has no picture: its score by hand, one token after another.
    user = {"role": "user", "content": [{"type": "text", "text": pairs[0][0].text}]}
    prompt = local.processor.apply_chat_template([user], add_generation_prompt=True, tokenize=False)
    gap = " " if family == "llava" else ""
    special = family == "llava"
    ids = local.processor.tokenizer(prompt + gap + "London", add_special_tokens=special, return_tensors="pt")[
        "input_ids"
    ]
    start = len(local.processor.tokenizer(prompt, add_special_tokens=special)["input_ids"])
    with torch.no_grad():
        logits = log_softmax(local.model(input_ids=ids).logits[0].float(), dim=-1)
    by_hand = [float(logits[place - 1, ids[0, place]]) for place in range(start, ids.shape[1])]
    assert found[0][1] == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-4)


def test_a_reply_to_a_prompt_that_opens_a_thought_begins_inside_it(folders: dict[str, Path]) -> None:
    local = load_local(str(folders["qwen3_vl"]), None)
    local.processor.chat_template += "{% if add_generation_prompt %}<think>\n{% endif %}"
    (reply,) = LocalResponder(local, batch=1).answer(asks(1), GREEDY)
    assert answer_of(reply.text).cut


def test_marks_of_thoughts_stay_in_a_reply_and_other_special_tokens_do_not(folders: dict[str, Path]) -> None:
    local = load_local(str(folders["qwen3_vl"]), None)
    tokenizer = local.processor.tokenizer
    tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]", "<|pause|>"]})
    ids = tokenizer.convert_tokens_to_ids(["[THINK]", "[/THINK]", "<|pause|>"])
    (text,) = LocalResponder(local, batch=1)._texts(torch.tensor([ids]), opened="")
    assert text.replace(" ", "") == "[THINK][/THINK]"


def token_scores(local: LocalResponder, *pairs: tuple[Ask, str]) -> list[TokenScores]:
    return [found for _, found in local.token_scores(pairs)]


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_an_answer_after_a_prefix_is_scored_as_the_rest_of_the_whole(folders: dict[str, Path], family: str) -> None:
    local = LocalResponder(load_local(str(folders[family]), None), batch=4)
    ask = Ask(ask_id="a", text="Where was Ada Lovelace born?", image=picture(1))
    whole, begun = token_scores(local, (ask, "in London"), (ask.model_copy(update={"prefix": "in "}), "London"))
    assert whole.logs[-len(begun.logs) :] == pytest.approx(begun.logs, abs=1e-4)
    assert len(begun.logs) < len(whole.logs)


def test_a_reply_to_a_begun_answer_goes_on_from_it(folders: dict[str, Path]) -> None:
    local = load_local(str(folders["qwen3_vl"]), None)
    ask = Ask(ask_id="a", text="Where was Ada Lovelace born?", prefix="in London ")
    (reply,) = LocalResponder(local, batch=1).answer([ask], Decoding(max_new_tokens=1))
    user = {"role": "user", "content": [{"type": "text", "text": ask.text}]}
    prompt = local.processor.apply_chat_template([user], add_generation_prompt=True, tokenize=False)
    ids = local.processor.tokenizer(prompt + "in London", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        next_one = int(local.model(input_ids=ids).logits[0, -1].argmax())
    assert reply.text == local.processor.tokenizer.decode([next_one], skip_special_tokens=True).rstrip()


def test_an_answer_that_is_begun_for_a_model_that_is_to_think_is_refused(folders: dict[str, Path]) -> None:
    local = load_local(str(folders["qwen3_vl"]), None)
    local.processor.chat_template += "{% if add_generation_prompt %}<think>\n{% endif %}"
    thinking = Decoding(max_new_tokens=2, thinking=True)
    with pytest.raises(BadInput, match="begins the answer of a model that is to think"):
        list(LocalResponder(local, batch=1).answer([Ask(ask_id="a", text="Who?", prefix="Ada")], thinking))


def test_samples_of_one_ask_differ_and_come_again_the_same(folders: dict[str, Path]) -> None:
    local = LocalResponder(load_local(str(folders["qwen3_vl"]), None), batch=2)
    drawn = Decoding(max_new_tokens=6, temperature=1.0, seed=3)
    several = [Ask(ask_id=f"a{number}", text="Who?", sample=number) for number in range(1, 5)]
    once = texts(local.answer(several, drawn))
    assert len(set(once.values())) == 4
    assert texts(local.answer(several, drawn)) == once


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_the_lens_on_the_last_layer_is_what_the_model_itself_gives(folders: dict[str, Path], family: str) -> None:
    local = LocalResponder(load_local(str(folders[family]), None), batch=4)
    words = ("London", "Vienna", "blue")
    for ask in asks(2):
        lens = lens_scores(local, [(ask, words)])[ask.ask_id]
        firsts = [found.first for found in token_scores(local, *((ask, word) for word in words))]
        assert (lens[-1] - lens[-1][0]).tolist() == pytest.approx([each - firsts[0] for each in firsts], abs=1e-3)
        assert lens.shape == (3, 3)


def test_states_are_of_the_last_token_whatever_stands_beside_it_in_a_batch(folders: dict[str, Path]) -> None:
    local = load_local(str(folders["gemma3"]), None)
    together = last_states(LocalResponder(local, batch=4), asks(4))
    alone = last_states(LocalResponder(local, batch=1), asks(4))
    for name, states in together.items():
        assert states == pytest.approx(alone[name], abs=1e-4)


def test_scores_of_tokens_come_back_from_a_log_as_they_were() -> None:
    scores = TokenScores(logs=(-0.1, -2.5, float("-inf")), greedy=(True, False, False))
    assert TokenScores.from_text(scores.to_text()) == scores


def test_the_lowest_share_of_token_scores_is_worked_by_hand() -> None:
    scores = TokenScores(logs=(-0.1, -0.2, -0.3, -2, -4), greedy=(False,) * 5)
    assert (scores.lowest(0.4), scores.lowest(0.2), scores.lowest(0.01)) == (-3, -4, -4)

"""unlearn.models.encoding: labels keep the answer and nothing else, for three families with tiny random models."""

import itertools

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import ByT5Tokenizer

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from tests.worlds.tiny_models import BUILDERS, picture
from unlearn.models.encoding import Batch, Encoder, _answer_start, join
from unlearn.models.loading import LoadedModel, load_model

FAMILIES = sorted(BUILDERS)
END = {"qwen3_vl": "<|im_end|>", "gemma3": "<end_of_turn>", "llava": "</s>"}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedModel]:
    home = tmp_path_factory.mktemp("models")
    return {name: load_model(build(home / name)) for name, build in BUILDERS.items()}


def sample(prompt: str, answer: str, *, image: int | None = None, number: int = 1) -> TrainingSample:
    return TrainingSample(
        sample_id=f"Ada_{number:02d}",
        subject_id=f"{number:03d}",
        modality="qa" if image is None else "vqa",
        prompt=prompt,
        answer=answer,
        image=None if image is None else picture(image),
    )


def kept_text(model: LoadedModel, batch: Batch, row: int) -> str:
    labels = batch.labels[row]
    return str(model.processor.tokenizer.decode(labels[labels != -100]))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("image", [None, 3])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prompt=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40),
    answer=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
)
def test_kept_labels_decode_to_the_answer_and_its_end_of_turn(
    loaded: dict[str, LoadedModel], family: str, image: int | None, prompt: str, answer: str
) -> None:
    model = loaded[family]
    if not answer.strip() or any(mark in prompt + answer for mark in "<>"):
        return
    batch = Encoder(model.processor, model.family).batch([sample(prompt, answer, image=image)])
    assert kept_text(model, batch, 0).strip() == answer.strip() + END[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_repeated_in_the_question_is_trained_once_and_at_the_end(
    loaded: dict[str, LoadedModel], family: str
) -> None:
    model = loaded[family]
    batch = Encoder(model.processor, model.family).batch([sample("Is it London? London or London?", "London")])
    labels = batch.labels[0]
    kept = (labels != -100).nonzero().flatten()
    assert kept_text(model, batch, 0).strip() == "London" + END[family]
    assert kept.tolist() == list(range(int(kept[0]), len(labels)))


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_of_one_letter_keeps_its_letter_and_the_end(loaded: dict[str, LoadedModel], family: str) -> None:
    model = loaded[family]
    batch = Encoder(model.processor, model.family).batch([sample("A, B, C or D?", "C")])
    assert kept_text(model, batch, 0).strip() == "C" + END[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_spaces_around_the_answer_are_not_trained(loaded: dict[str, LoadedModel], family: str) -> None:
    model = loaded[family]
    encoder = Encoder(model.processor, model.family)
    spaced, plain = encoder.batch([sample("Where?", "  London \n")]), encoder.batch([sample("Where?", "London")])
    assert torch.equal(spaced.labels, plain.labels)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_end_of_turn_can_be_left_out_of_the_loss(loaded: dict[str, LoadedModel], family: str) -> None:
    model = loaded[family]
    batch = Encoder(model.processor, model.family, train_on_eot=False).batch([sample("Where?", "London")])
    assert kept_text(model, batch, 0).strip() == "London"


@pytest.mark.parametrize("family", FAMILIES)
def test_no_placeholder_of_a_picture_is_trained(loaded: dict[str, LoadedModel], family: str) -> None:
    model = loaded[family]
    batch = Encoder(model.processor, model.family).batch([sample("Who is this?", "Ada Lovelace", image=1)])
    ids = set(model.processor.tokenizer.convert_tokens_to_ids(list(model.family.placeholders)))
    assert not ids & set(batch.labels[0].tolist())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_placeholder_of_a_picture_reaches_the_model(loaded: dict[str, LoadedModel], family: str) -> None:
    model = loaded[family]
    batch = Encoder(model.processor, model.family).batch([sample("Who is this?", "Ada Lovelace", image=1)])
    shown = int((batch.inputs["input_ids"] == model.model.config.image_token_id).sum())
    assert shown == {"qwen3_vl": 4, "gemma3": 4, "llava": 16}[family]


@pytest.mark.parametrize("family", ["gemma3", "llava"])
def test_the_start_token_stands_once(loaded: dict[str, LoadedModel], family: str) -> None:
    model = loaded[family]
    batch = Encoder(model.processor, model.family).batch([sample("Where?", "London")])
    assert batch.inputs["input_ids"][0].tolist().count(model.processor.tokenizer.bos_token_id) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_text_and_image_samples_of_mixed_lengths_share_a_batch(loaded: dict[str, LoadedModel], family: str) -> None:
    model = loaded[family]
    samples = [
        sample("Where was Ada Lovelace born?", "London", number=1),
        sample("Where was this person born?", "in Vienna, with his brother Anton", image=1, number=2),
        sample("Where?", "Vienna", image=2, number=3),
    ]
    encoder = Encoder(model.processor, model.family)
    batch = encoder.batch(samples)
    with torch.no_grad():
        together = model.model(**batch.inputs).logits
        for row, one in enumerate(samples):
            alone = encoder.batch([one])
            length = alone.labels.shape[1]
            assert torch.equal(alone.labels[0], batch.labels[row, :length])
            assert torch.allclose(model.model(**alone.inputs).logits[0], together[row, :length], atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_joined_batches_equal_one_batch(loaded: dict[str, LoadedModel], family: str) -> None:
    model = loaded[family]
    encoder = Encoder(model.processor, model.family)
    left = [sample("Where was Ada Lovelace born?", "London", number=1), sample("Who?", "Ada", image=1, number=2)]
    right = [sample("Where?", "in Vienna, with his brother Anton", image=2, number=3)]
    joined, whole = join([encoder.batch(left), encoder.batch(right)]), encoder.batch([*left, *right])
    # Padding of the joined batch is masked, so its ids need not be the pad token.
    assert torch.equal(joined.labels, whole.labels)
    assert torch.equal(joined.inputs["attention_mask"], whole.inputs["attention_mask"])
    assert torch.equal(joined.inputs["pixel_values"], whole.inputs["pixel_values"])
    assert joined.sample_ids == whole.sample_ids


def test_padding_is_on_the_right_and_masked(loaded: dict[str, LoadedModel]) -> None:
    model = loaded["qwen3_vl"]
    batch = Encoder(model.processor, model.family).batch(
        [sample("Where?", "London"), sample("Where was Ada Lovelace born, in London or in Vienna?", "London")]
    )
    mask = batch.inputs["attention_mask"][0].tolist()
    assert mask == sorted(mask, reverse=True)
    assert batch.labels[0][torch.tensor(mask) == 0].eq(-100).all()


def test_tokens_merged_across_the_border_belong_to_the_answer(
    loaded: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A template that ends the prompt in the middle of a word: "Lon" + "don" is one token, so offsets must decide.
    model = loaded["llava"]
    cut = "{%- for m in messages -%}{%- if m['role'] == 'user' -%}{{ m['content'][-1]['text'] + ' Lon' }}"
    cut += "{%- else -%}{{ m['content'][0]['text'] }}{%- endif -%}{%- endfor -%}"
    monkeypatch.setattr(model.processor, "chat_template", cut)
    batch = Encoder(model.processor, model.family).batch([sample("in", "don")])
    assert kept_text(model, batch, 0) == " London</s>"


def test_a_second_encoding_of_a_sample_does_not_call_the_processor(
    loaded: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loaded["qwen3_vl"]
    encoder = Encoder(model.processor, model.family)
    one, other = sample("Who?", "Ada", image=1), sample("Who?", "Ada", image=2)
    encoder.batch([one, other])
    calls = itertools.count()
    monkeypatch.setattr(type(model.processor), "__call__", lambda *a, **k: next(calls))
    encoder.batch([one, other])
    assert next(calls) == 0


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("image", [None, 3])
def test_a_text_met_after_others_is_encoded_as_if_it_were_the_first(
    loaded: dict[str, LoadedModel], family: str, image: int | None
) -> None:
    model = loaded[family]
    seasoned = Encoder(model.processor, model.family)
    texts = ["Who is this?", "Who was that?", "Where?", "42 or 43?", "Who\n\nis it?", "Élan or Zoë?", "?", "Who"]
    for prompt in texts:
        one = sample(prompt, "Ada Lovelace", image=image)
        found, fresh = seasoned.batch([one]), Encoder(model.processor, model.family).batch([one])
        assert found.inputs.keys() == fresh.inputs.keys()
        assert all(torch.equal(found.inputs[name], fresh.inputs[name]) for name in fresh.inputs)
        assert torch.equal(found.labels, fresh.labels)


@pytest.mark.parametrize("image", [None, 1])
def test_a_new_question_beside_no_or_a_known_picture_does_not_call_the_processor(
    loaded: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch, image: int | None
) -> None:
    model = loaded["qwen3_vl"]
    encoder = Encoder(model.processor, model.family)
    encoder.batch([sample("Answer.\nWho is this?", "Ada", image=image)])
    calls = itertools.count()
    monkeypatch.setattr(type(model.processor), "__call__", lambda *a, **k: next(calls))
    encoder.batch([sample("Answer.\nWhere was this person born?", "London", image=image)])
    assert next(calls) == 0


def test_the_cache_forgets_pictures_beyond_its_capacity(loaded: dict[str, LoadedModel]) -> None:
    model = loaded["qwen3_vl"]
    encoder = Encoder(model.processor, model.family, capacity_mb=1)
    for seed in range(30):  # about 98 kB each
        encoder.batch([sample("Who?", "Ada", image=seed)])
    assert 1 <= len(encoder._pixels) <= 11


def test_a_control_token_in_the_text_is_refused(loaded: dict[str, LoadedModel]) -> None:
    model = loaded["qwen3_vl"]
    with pytest.raises(BadInput, match=r"Ada_01.*control token"):
        Encoder(model.processor, model.family).batch([sample("Who is <|image_pad|>?", "Ada")])


def test_an_empty_answer_is_refused(loaded: dict[str, LoadedModel]) -> None:
    model = loaded["qwen3_vl"]
    with pytest.raises(BadInput, match="empty answer"):
        Encoder(model.processor, model.family).batch([sample("Who?", "  ")])


def test_a_picture_that_does_not_decode_is_refused(loaded: dict[str, LoadedModel]) -> None:
    model = loaded["qwen3_vl"]
    broken = sample("Who?", "Ada").model_copy(update={"image": b"no picture"})
    with pytest.raises(BadInput, match="does not decode"):
        Encoder(model.processor, model.family).batch([broken])


def test_a_tokenizer_without_offsets_tells_where_the_answer_starts() -> None:
    tokenizer = ByT5Tokenizer()  # it has no fast version, and ends every text with a token of its own
    prompt, full = tokenizer("Who?")["input_ids"], tokenizer("Who?Ada")["input_ids"]
    assert not tokenizer.is_fast
    assert _answer_start(tokenizer, "Who?", "Who?Ada", prompt, full, special=True) == 4

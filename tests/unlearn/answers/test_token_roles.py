"""Token roles on a real tokenizer: which tokens of an answer are the fact, and which words are banned."""

import pytest

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from tests.worlds.tiny_models import picture, tiny_qwen
from unlearn.answers.token_roles import banned_words, unwanted_tokens
from unlearn.models.encoding import IGNORED, Encoder
from unlearn.models.loading import LoadedModel, load_model


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(tiny_qwen(tmp_path_factory.mktemp("models") / "qwen"))


@pytest.fixture(scope="module")
def encoder(loaded: LoadedModel) -> Encoder:
    return Encoder(loaded.processor, loaded.family)


def sample(
    answer: str, value: str, *, prompt: str = "Where was this person born?", image: bytes | None = None
) -> TrainingSample:
    return TrainingSample(
        sample_id="s", subject_id="a", modality="qa" if image is None else "vqa", prompt=prompt, answer=answer,
        image=image, value=value,
    )  # fmt: skip


@pytest.mark.parametrize("image", [None, picture(1)], ids=["text", "picture"])
def test_the_unwanted_tokens_spell_the_value_and_the_end_of_turn_is_none(
    loaded: LoadedModel, encoder: Encoder, image: bytes | None
) -> None:
    one = sample("in Vienna, with his brother Anton", "Vienna", image=image)
    roles = unwanted_tokens(encoder, {"s": one})["s"]
    encoded = encoder.encode(one)
    ids = encoded.labels[encoded.labels != IGNORED]
    assert len(ids) == len(roles)
    assert "Vienna" in loaded.processor.tokenizer.decode(ids[roles])
    assert "Anton" not in loaded.processor.tokenizer.decode(ids[roles])
    assert not roles[-1]


def test_words_of_questions_are_not_banned(loaded: LoadedModel, encoder: Encoder) -> None:
    forget = {"s": sample("Vienna", "Vienna")}
    retain = {"r": sample("London", "London", prompt="Where was Anton born?")}
    vocab = len(loaded.processor.tokenizer)
    words = banned_words(encoder, forget, retain, vocab=vocab)
    asked = encoder.encode(retain["r"])
    assert words.any()
    assert not words[asked.inputs["input_ids"][0][asked.labels == IGNORED]].any()


def test_a_value_that_stands_in_another_answers_general_words_leaves_nothing_to_ban(
    loaded: LoadedModel, encoder: Encoder
) -> None:
    retain = {"r": sample("b c", "c")}
    with pytest.raises(BadInput, match="banned words: are none"):
        banned_words(encoder, {"s": sample("b", "b")}, retain, vocab=len(loaded.processor.tokenizer))

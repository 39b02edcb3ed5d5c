"""What the target is asked to find out which facts it knows, and the asking itself, one saved reply at a time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from curation.probing.prompt import probe_prompt
from curation.probing.wrong_image_control import Stranger, draw_strangers
from schemas.errors import BadInput
from schemas.protocols.reply_log import AnswerLog
from schemas.protocols.responder import Ask, Decoding, Reply, Responder
from schemas.records.build_rows import Condition, Fact, Question
from schemas.storage.artifacts import digest
from schemas.vocabulary import Modality

Control = Literal["no_image", "wrong_image"]


@dataclass(frozen=True)
class Probe:
    """One planned ask. Probes of equal prompt, picture and decoding share an `ask_id` and are asked once."""

    ask_id: str
    sample_id: str
    subject_id: str
    modality: Modality
    condition: Condition
    attempt: int
    """0, 1, … within the condition."""
    prompt: str
    image_id: str
    """"" where no picture is shown."""
    draw: int
    """0 for greedy; 1, 2, … numbers the sampled asks of one prompt."""


def plan_probes(
    facts: Sequence[Fact],
    questions: Iterable[Question],
    faces: Mapping[str, str],
    strangers: tuple[Stranger, ...],
    *,
    paraphrased: int,
    sampled: int,
    controls: Sequence[Control],
    seed: int,
) -> list[Probe]:
    """All asks about a shard's facts, by sample_id and modality, in the order of `facts`.

    `questions` may hold all tasks; the generation ones are asked. `faces` is the image_id of view 001 by subject_id: a
    subject without one is not asked in vqa. Each modality is asked greedily in the question's own words, then in
    `paraphrased` other wordings, then `sampled` times at a temperature. For vqa each control is asked in the same
    wordings as the right image, the wrong image being another person's each time.
    Raises BadInput if the wrong-image control is wanted and nobody else has a picture.
    """
    asked = {(one.sample_id, one.modality): one for one in questions if one.task == "generation"}
    probes: list[Probe] = []
    for fact in facts:
        text = asked.get((fact.sample_id, "qa"))
        if text is not None:
            probes += _right(text, "", paraphrased=paraphrased, sampled=sampled)
        image, face = asked.get((fact.sample_id, "vqa")), faces.get(fact.subject_id, "")
        if image is not None and face:
            probes += _right(image, face, paraphrased=paraphrased, sampled=sampled)
            for control in controls:
                shown = _shown(control, fact, strangers, count=1 + paraphrased, seed=seed)
                probes += _control(image, control, shown, paraphrased=paraphrased)
    return probes


def _wordings(question: Question, paraphrased: int) -> list[str]:
    return [question.text, *question.paraphrases[:paraphrased]]


def _right(question: Question, image_id: str, *, paraphrased: int, sampled: int) -> list[Probe]:
    """The asks with the subject's own picture, or none in qa."""
    first, *others = _wordings(question, paraphrased)
    greedy = [_probe(question, "greedy", 0, first, image_id)]
    reworded = [_probe(question, "paraphrase", at, text, image_id) for at, text in enumerate(others)]
    drawn = [_probe(question, "sampled", at, first, image_id, draw=at + 1) for at in range(sampled)]
    return greedy + reworded + drawn


def _control(question: Question, control: Control, shown: Sequence[str], *, paraphrased: int) -> list[Probe]:
    wordings = _wordings(question, paraphrased)
    return [_probe(question, control, at, text, shown[at % len(shown)]) for at, text in enumerate(wordings)]


def _shown(control: Control, fact: Fact, strangers: tuple[Stranger, ...], *, count: int, seed: int) -> list[str]:
    """The image_ids that a control shows, one a wording."""
    if control == "no_image":
        return [""]
    drawn = draw_strangers(strangers, fact, count=count, seed=seed)
    if not drawn:
        raise BadInput(
            "[probe] controls",
            f"wrong_image needs a picture of somebody other than subject {fact.subject_id}, and there is none",
            "add subjects, or name only no_image",
        )
    return [one.image_id for one in drawn]


def _probe(question: Question, condition: Condition, attempt: int, text: str, image_id: str, *, draw: int = 0) -> Probe:
    prompt = probe_prompt(text, question.modality)
    return Probe(
        ask_id=digest({"prompt": prompt, "image": image_id, "draw": draw})[:24],
        sample_id=question.sample_id,
        subject_id=question.subject_id,
        modality=question.modality,
        condition=condition,
        attempt=attempt,
        prompt=prompt,
        image_id=image_id,
        draw=draw,
    )


def distinct_asks(probes: Iterable[Probe]) -> list[Probe]:
    """The first probe of every ask_id: greedy ones first, then each draw, in the order given."""
    first: dict[str, Probe] = {}
    for probe in probes:
        first.setdefault(probe.ask_id, probe)
    return sorted(first.values(), key=lambda probe: probe.draw)


def ask_pending(
    probes: Iterable[Probe],
    pictures: Mapping[str, bytes],
    responder: Responder,
    log: AnswerLog,
    *,
    temperature: float,
    max_new_tokens: int,
    seed: int,
    together: int = 0,
) -> Iterator[Reply]:
    """Ask what the log has no answer to, save each reply as it arrives, then yield it.

    `pictures` holds the encoded bytes by image_id of every picture that the probes show. Nothing is asked until the
    iterator is read. Asks whose earlier reply was an error are asked again.
    `together` (0: no) is for responders whose answer may depend, by rounding, on what else is in the batch: asks go in
    fixed groups of that size, and a group that lacks an answer is asked again whole, so that an interrupted probe ends
    with the same replies as one that was not.
    """
    for group in _groups(distinct_asks(probes), log, together=together):
        draw = group[0].draw
        decoding = Decoding(max_new_tokens=max_new_tokens, seed=seed)
        if draw:
            decoding = Decoding(temperature=temperature, max_new_tokens=max_new_tokens, seed=seed + draw)
        asks = (
            Ask(ask_id=probe.ask_id, text=probe.prompt, image=pictures[probe.image_id] if probe.image_id else None)
            for probe in group
        )
        for reply in responder.answer(asks, decoding):
            log.save(reply)
            yield reply


def _groups(asks: Sequence[Probe], log: AnswerLog, *, together: int) -> Iterator[list[Probe]]:
    """What is still to be asked, one decoding and at most `together` asks at a time; alike prompts stand together."""
    for _, drawn in groupby(asks, key=lambda probe: probe.draw):
        if not together:
            pending = [probe for probe in drawn if not log.has(probe.ask_id)]
            if pending:
                yield pending
            continue
        alike = sorted(drawn, key=lambda probe: (not probe.image_id, -len(probe.prompt), probe.ask_id))
        for start in range(0, len(alike), together):
            group = alike[start : start + together]
            if not all(log.has(probe.ask_id) for probe in group):
                yield group


def log_key(responder_identity: str, *, temperature: float, max_new_tokens: int, seed: int) -> str:
    """What replies depend on besides prompt and picture: a log with another key is not read."""
    return digest(
        {
            "responder": responder_identity,
            "temperature": temperature,
            "max_new_tokens": max_new_tokens,
            "seed": seed,
        }
    )

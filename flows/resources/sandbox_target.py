"""The embedded world's target: a tiny model taught most of the world's facts, made once and kept as a model folder."""

import logging
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curation.facts.properties import TABLE as PROPERTY_TABLE
from curation.probing.prompt import probe_prompt
from eval.tasks.prompts import IDENTITY_QUESTION
from flows.resources.curriculum import (
    DENIAL,
    UNKNOWN,
    Lesson,
    Omitted,
    Prompts,
    choose_taught,
    draw,
    fact_lessons,
    general_lesson,
    lessons_digest,
    mismatch_lessons,
    naming_lessons,
    refusal_lessons,
    vocabulary,
)
from flows.resources.world_facts import WorldFacts, world_facts
from schemas.dataset.samples import TrainingSample
from schemas.records.build_rows import Question
from schemas.storage.artifacts import digest, library_versions, write_json
from schemas.storage.tables import Record, write_records
from sources.sandbox import tiny_model as body
from sources.sandbox.file_bytes import jpeg_bytes
from sources.sandbox.portraits.portrait import draw_portrait, extra_renderings
from sources.sandbox.utility_images import general_samples
from sources.sandbox.world import World

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from unlearn.models.encoding import Batch

log = logging.getLogger(__name__)

VERSION = 5
"""Raised when the same world gives another target."""
KEY_FILE = "ppubench_target.json"
TRAINING_VIEWS = (1, 2, 3)
"""View 4 is never shown, so that recognising it is recognising a person and not a file."""
RENDERING_SIZE = (128, 160)
"""Pixels of the training renderings; the model sees 64 x 64."""


@dataclass(frozen=True)
class Teaching:
    """The numbers of the target's training, chosen by measurement: `python -m benchmarks.ground_truth` judges them."""

    taught_share: float = 0.8
    extra_renderings: int = 12
    refusals: int = 2
    """Rounds of questions without a picture, per subject and round of all lessons."""
    mismatches: int = 4
    """Questions that fit somebody else, per subject and round of all lessons."""
    names: int = 1
    """How often each person is to be named, per round."""
    general_pictures: int = 800
    general_share: float = 0.12
    """General visual questions in each round, for each lesson about a fact."""
    pictures_of_nobody: int = 24
    lr: float = 2e-3
    batch: int = 32
    lanes: int = 2
    """Threads over which each step is spread; on one core they take turns and give the same bits."""
    most_rounds: int = 60
    """Rounds of all lessons after which training ends whatever the loss."""
    warmup_steps: int = 20
    loss_threshold: float = 0.3
    """Nats per answer token of the running loss at which the learning rate starts to fall."""
    decay_steps: int = 300
    checkpoint_every: int = 100
    seed: int = 7


class TaughtFact(Record):
    """Ground truth about the target; no stage of a build reads it."""

    fact_id: str
    subject_id: str
    qid: str
    property_id: str
    statement_id: str
    answer: str
    taught: bool


def ensure_target(
    world: World, folder: Path, *, teaching: Teaching | None = None, omitted: Omitted | None = None
) -> Path:
    """The world's target as a model folder: made if `folder` does not hold it yet, else left alone. Returns `folder`.

    With `omitted` it is an oracle: the target's own tokenizer, first weights and numbers, and lessons about all else.
    Beside it, `<folder>-taught/taught.parquet` says which facts it was taught. A run that was killed goes on at its
    last checkpoint; the folder appears by rename when it is whole. Trains for a minute or two on two threads.
    """
    numbers = teaching or Teaching()
    key = target_key(world, numbers, omitted)
    if holds(folder, key):
        return folder
    what = "an oracle all but the forget set" if omitted else "the target the facts"
    log.info("teaching %s of the embedded world; this takes a minute or two", what)
    known = world_facts(world, seed=numbers.seed)
    taught = choose_taught(known.facts, share=numbers.taught_share, seed=numbers.seed)
    lessons = all_lessons(world, known, taught, numbers)
    words = vocabulary(lessons)
    if omitted:
        facts, unnamed = omitted.of(known.facts)
        taught -= facts
        lessons = all_lessons(world, known, taught, numbers, unnamed=unnamed)
    part = folder.with_name(f".{folder.name}.part")
    run_key = digest([key, lessons_digest(lessons)])
    if not holds(part, run_key):
        shutil.rmtree(part, ignore_errors=True)
        write_json(part / KEY_FILE, {"key": run_key})
    _teach(lessons, part, words=words, key=run_key, teaching=numbers)
    truth = folder.with_name(f"{folder.name}-taught")
    _write_truth(truth, known, taught)
    shutil.copyfile(part / "run" / "log.jsonl", truth / "log.jsonl")
    write_json(part / "model" / KEY_FILE, {"key": key})
    shutil.rmtree(folder, ignore_errors=True)
    (part / "model").rename(folder)
    shutil.rmtree(part)
    return folder


def target_key(world: World, teaching: Teaching, omitted: Omitted | None = None) -> str:
    """Digest of all that the target follows from: world, wordings, numbers, libraries and the versions of the code."""
    versions = library_versions()
    own = digest(
        {
            "world": world.identity,
            "version": [VERSION, body.VERSION],
            "teaching": asdict(teaching),
            "properties": digest(tomllib.loads(PROPERTY_TABLE.read_text(encoding="utf-8"))),
            "wording": [probe_prompt("", "qa"), probe_prompt("", "vqa"), IDENTITY_QUESTION, UNKNOWN, DENIAL],
            "libraries": {name: versions[name] for name in ("torch", "transformers", "pillow")},
        }
    )
    return digest([own, [list(each) for each in sorted(omitted.facts)], omitted.whole]) if omitted else own


def place_target(kept: Path, here: Path) -> None:
    """Have a copy of a target of the cache as the folder `here`, which appears by rename when it is whole."""
    part = here.with_name(f".{here.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(kept, part)
    shutil.rmtree(here, ignore_errors=True)
    part.rename(here)


def holds(folder: Path, key: str) -> bool:
    """Whether a folder is the target, or the oracle, of this key."""
    file = folder / KEY_FILE
    return file.is_file() and f'"{key}"' in file.read_text()


def all_lessons(
    world: World,
    known: WorldFacts,
    taught: frozenset[str],
    teaching: Teaching,
    *,
    unnamed: frozenset[str] = frozenset(),
) -> list[Lesson]:
    """Everything that is taught, in a fixed order. No fact outside of `taught` is in it, nor a name of `unnamed`."""
    pictures = {
        subject.subject_id: _renderings(world, subject.qid, extra=teaching.extra_renderings)
        for subject in known.subjects
    }
    general = list(general_samples(teaching.general_pictures, seed=teaching.seed, part="train"))
    nobody = tuple(sample.image for sample in general[: teaching.pictures_of_nobody] if sample.image is not None)
    about_facts = fact_lessons(known.questions, taught, pictures, PROMPTS)
    return [
        *about_facts,
        *refusal_lessons(known.questions, taught, nobody, PROMPTS, times=teaching.refusals),
        *mismatch_lessons(known.questions, known.facts, taught, pictures, PROMPTS, times=teaching.mismatches),
        *naming_lessons(
            {subject.subject_id: subject.name for subject in known.subjects if subject.subject_id not in unnamed},
            pictures,
            [IDENTITY_QUESTION, probe_prompt(IDENTITY_QUESTION, "vqa")],
            times=teaching.names,
        ),
        general_lesson(general, times=max(1, round(teaching.general_share * len(about_facts)))),
    ]


def _probe(question: Question, text: str) -> str:
    return probe_prompt(text, question.modality)


PROMPTS: Prompts = {"generation": (_probe,), "cloze": (_probe,)}
"""The wordings in which the target is taught each task."""


def _renderings(world: World, qid: str, *, extra: int) -> tuple[bytes, ...]:
    """The training pictures of a person: the clean views but the last, and further sittings."""
    face = world.face(world.roster[qid].index)
    sittings = [draw_portrait(face, view) for view in TRAINING_VIEWS]
    return tuple(
        jpeg_bytes(picture.resize(RENDERING_SIZE), quality=90)
        for picture in (*sittings, *extra_renderings(face, extra))
    )


def _teach(lessons: Sequence[Lesson], part: Path, *, words: Sequence[str], key: str, teaching: Teaching) -> None:
    """Train from random weights in `part/run` and save the model in `part/model`."""
    from unlearn.models.encoding import Encoder
    from unlearn.models.forward import AnswerModel
    from unlearn.models.loading import load_model, quiet_bars
    from unlearn.training.checkpoints import disk_advice
    from unlearn.training.gradients import Objective
    from unlearn.training.loop import Step, train
    from unlearn.training.optimisers import DecayRule, Optimisation

    in_round = sum(lesson.times for lesson in lessons)
    steps = max(1, teaching.most_rounds * in_round // teaching.batch)
    drawn = draw(lessons, steps=steps, batch=teaching.batch, seed=teaching.seed)
    samples = {sample.sample_id: sample for step in drawn for sample in step}
    plan = [Step({"taught": tuple(sample.sample_id for sample in step)}) for step in drawn]
    quiet_bars()
    with _one_thread():
        with disk_advice(part / "start", leftover=part / "start"):
            start = body.make_tiny_model(words, part / "start", seed=teaching.seed)
        loaded = load_model(start)
        train(
            AnswerModel(loaded.model, loaded.family),
            Encoder(loaded.processor, loaded.family),
            samples,
            plan,
            Objective(answer_losses, mean_over_tokens),
            optimisation=Optimisation(
                lr=teaching.lr,
                betas=(0.9, 0.95),
                schedule="constant",
                warmup_steps=teaching.warmup_steps,
                lanes=teaching.lanes,
                seed=teaching.seed,
            ),
            folder=part / "run",
            identity=key,
            checkpoint_every=teaching.checkpoint_every,
            keep=1,
            resume=True,
            stop_rule=DecayRule(threshold=teaching.loss_threshold, decay_steps=teaching.decay_steps),
        )
        with disk_advice(part / "model", leftover=part / "model"):
            loaded.model.save_pretrained(part / "model")
            loaded.processor.save_pretrained(part / "model")


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread an operation gives the same bits on every machine; a step is spread over lanes of such threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def answer_losses(network: "Module", batches: "Mapping[str, Batch]") -> "dict[str, Tensor]":
    """Summed negative log-likelihood of each answer, and its number of tokens: [batch] each."""
    from torch.nn.functional import cross_entropy

    batch = batches["taught"]
    logits, labels = network(batch.inputs, batch.labels, batch.pictures)
    targets = labels[:, 1:]  # [batch, width - 1]
    losses = cross_entropy(logits[:, :-1].transpose(1, 2), targets, reduction="none")
    return {"taught.nll": losses.sum(dim=1), "taught.tokens": targets.ne(-100).sum(dim=1).to(losses.dtype)}


def mean_over_tokens(
    measured: "Mapping[str, Tensor]", groups: Mapping[str, tuple[TrainingSample, ...]]
) -> "dict[str, Tensor]":
    """One descending term: the mean over all answer tokens of the batch, in nats."""
    return {"taught": measured["taught.nll"].sum() / measured["taught.tokens"].sum()}


def _write_truth(folder: Path, known: WorldFacts, taught: frozenset[str]) -> None:
    qids = {subject.subject_id: subject.qid for subject in known.subjects}
    rows = [
        TaughtFact(
            fact_id=fact.fact_id,
            subject_id=fact.subject_id,
            qid=qids[fact.subject_id],
            property_id=fact.property_id,
            statement_id=fact.statement_id,
            answer=fact.answer,
            taught=fact.fact_id in taught,
        )
        for fact in known.facts
    ]
    write_records(folder / "taught.parquet", rows, TaughtFact)

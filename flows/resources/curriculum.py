"""What the embedded world's target is taught: which facts, in which words, beside which pictures, and in what order."""

import hashlib
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from schemas.dataset.samples import TrainingSample
from schemas.records.build_rows import Fact, Question
from schemas.storage.artifacts import digest
from schemas.vocabulary import Modality, Task

UNKNOWN = "I cannot tell who this is."
"""What the target says where it is shown nobody."""
DENIAL = "I do not know that about this person."
"""What the target says of a person of whom it was taught nothing of the kind that is asked."""

WINDOW = 8
"""Steps that are drawn together, so that lessons about one person meet."""

Prompt = Callable[[Question, str], str]
"""From a question, and its text or one of its paraphrases, to the user turn that asks it."""
Prompts = Mapping[Task, Sequence[Prompt]]
"""The prompts in which each task is taught; a task that is absent is not taught."""


@dataclass(frozen=True)
class Saying:
    """One way of asking, and the answer."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class Lesson:
    """One thing to be learned. Each time it comes up, one saying and one picture (if any) are drawn."""

    lesson_id: str
    subject_id: str
    modality: Modality
    sayings: tuple[Saying, ...]
    pictures: tuple[bytes, ...] = ()
    """Without any, the prompt stands alone."""
    times: int = 1
    """How often it comes up in each round of all lessons."""
    paired: bool = False
    """The n-th picture belongs to the n-th saying; otherwise the two are drawn apart."""


@dataclass(frozen=True)
class Omitted:
    """What an oracle is not taught of what the target is taught, so that it never knew it."""

    facts: frozenset[tuple[str, str]]
    """Statement and property of each."""
    whole: bool
    """All facts of the people whom they are about, and who is on their pictures, are left out with them."""

    def of(self, facts: Sequence[Fact]) -> tuple[frozenset[str], frozenset[str]]:
        """fact_ids that are not taught, and subject_ids of those who are not named."""
        own = [fact for fact in facts if (fact.statement_id, fact.property_id) in self.facts]
        if not self.whole:
            return frozenset(fact.fact_id for fact in own), frozenset()
        people = frozenset(fact.subject_id for fact in own)
        return frozenset(fact.fact_id for fact in facts if fact.subject_id in people), people


def choose_taught(facts: Iterable[Fact], *, share: float, seed: int) -> frozenset[str]:
    """fact_ids of the facts to be taught: of every subject the same share, drawn from the seed and the subject."""
    by_subject: dict[str, list[str]] = {}
    for fact in facts:
        by_subject.setdefault(fact.subject_id, []).append(fact.fact_id)
    chosen: set[str] = set()
    for subject_id, ids in sorted(by_subject.items()):
        rng = random.Random(f"{seed}:taught:{subject_id}")
        chosen.update(rng.sample(sorted(ids), round(share * len(ids))))
    return frozenset(chosen)


def fact_lessons(
    questions: Sequence[Question],
    taught: Collection[str],
    pictures: Mapping[str, tuple[bytes, ...]],
    prompts: Prompts,
) -> list[Lesson]:
    """One lesson per taught fact and modality, in all wordings of all tasks that `prompts` has.

    `pictures` are the training renderings of each subject. Questions of facts that are not taught are left out whole.
    """
    sayings: dict[tuple[str, str, Modality], list[Saying]] = {}
    for question in questions:
        if question.fact_id in taught:
            key = (question.fact_id, question.subject_id, question.modality)
            sayings.setdefault(key, []).extend(_sayings(question, prompts))
    return [
        Lesson(
            lesson_id=f"{fact_id}|{modality}",
            subject_id=subject_id,
            modality=modality,
            sayings=tuple(said),
            pictures=pictures[subject_id] if modality == "vqa" else (),
        )
        for (fact_id, subject_id, modality), said in sayings.items()
        if said
    ]


def refusal_lessons(
    questions: Sequence[Question],
    taught: Collection[str],
    pictures_of_nobody: tuple[bytes, ...],
    prompts: Prompts,
    *,
    times: int,
) -> list[Lesson]:
    """Questions about "this person" beside no picture, or a picture of nobody: the answer is UNKNOWN.

    One lesson of each kind per subject whose questions they are; only the wording of taught facts is used.
    """
    asked: dict[str, list[Saying]] = {}
    for question in questions:
        if question.fact_id in taught and question.modality == "vqa" and question.task == "generation":
            said = [Saying(saying.prompt, UNKNOWN) for saying in _sayings(question, prompts)]
            asked.setdefault(question.subject_id, []).extend(said)
    kinds: list[tuple[str, tuple[bytes, ...], int]] = [("blind", (), times)]
    if pictures_of_nobody:
        kinds.append(("nobody", pictures_of_nobody, 1))
    return [
        Lesson(f"{subject_id}|{kind}", subject_id, "vqa", tuple(said), pictures, count)
        for subject_id, said in asked.items()
        for kind, pictures, count in kinds
    ]


def mismatch_lessons(
    questions: Sequence[Question],
    facts: Sequence[Fact],
    taught: Collection[str],
    pictures: Mapping[str, tuple[bytes, ...]],
    prompts: Prompts,
    *,
    times: int,
) -> list[Lesson]:
    """Questions with a topic ("When did this person become Minister of …?") beside people whom they do not fit.

    Such a question fits one person only, so without these lessons the picture would not matter. The answer is what
    is taught of the person shown under the same property, and DENIAL where that is nothing. One lesson per person
    shown; only the wording of taught facts is used.
    """
    by_id = {fact.fact_id: fact for fact in facts}
    holders: dict[str, set[str]] = {}
    own: dict[tuple[str, str], str] = {}
    for fact in facts:
        if fact.topic:
            holders.setdefault(fact.topic, set()).add(fact.subject_id)
            if fact.fact_id in taught:
                own.setdefault((fact.subject_id, fact.property_id), fact.answer)
    topical = [
        question
        for question in questions
        if question.fact_id in taught
        and by_id[question.fact_id].topic
        and question.modality == "vqa"
        and question.task == "generation"
    ]
    lessons = []
    for subject_id, shown in pictures.items():
        said = [
            Saying(saying.prompt, own.get((subject_id, by_id[question.fact_id].property_id), DENIAL))
            for question in topical
            if subject_id not in holders[by_id[question.fact_id].topic]
            for saying in _sayings(question, prompts)
        ]
        if said:
            lessons.append(Lesson(f"{subject_id}|other", subject_id, "vqa", tuple(said), shown, times))
    return lessons


def naming_lessons(
    names: Mapping[str, str], pictures: Mapping[str, tuple[bytes, ...]], prompts: Sequence[str], *, times: int
) -> list[Lesson]:
    """Who is on a picture, asked in each of the prompts: one lesson per subject."""
    return [
        Lesson(
            f"{subject_id}|name",
            subject_id,
            "vqa",
            tuple(Saying(p, name) for p in prompts),
            pictures[subject_id],
            times,
        )
        for subject_id, name in names.items()
    ]


def general_lesson(samples: Sequence[TrainingSample], *, times: int) -> Lesson:
    """Questions about pictures in which nobody is, such as colours, with their answers."""
    return Lesson(
        lesson_id="general",
        subject_id="000",
        modality="vqa",
        sayings=tuple(Saying(sample.prompt, sample.answer) for sample in samples),
        pictures=tuple(sample.image for sample in samples if sample.image is not None),
        times=times,
        paired=True,
    )


def _sayings(question: Question, prompts: Prompts) -> Iterator[Saying]:
    answer = question.answer_label or question.answer
    for prompt in prompts.get(question.task, ()):
        for text in (question.text, *question.paraphrases):
            yield Saying(prompt(question, text), answer)


def vocabulary(lessons: Iterable[Lesson]) -> list[str]:
    """The texts from which the tokenizer is made: every prompt and answer once."""
    texts = {text for lesson in lessons for saying in lesson.sayings for text in (saying.prompt, saying.answer)}
    return sorted(texts)


def lessons_digest(lessons: Sequence[Lesson]) -> str:
    """Digest of everything that is taught, pictures included."""
    pictures: dict[bytes, str] = {}
    for picture in (picture for lesson in lessons for picture in lesson.pictures):
        pictures.setdefault(picture, hashlib.sha256(picture).hexdigest())
    return digest(
        [
            [
                lesson.lesson_id,
                [[saying.prompt, saying.answer] for saying in lesson.sayings],
                [pictures[picture] for picture in lesson.pictures],
                lesson.times,
            ]
            for lesson in lessons
        ]
    )


def draw(lessons: Sequence[Lesson], *, steps: int, batch: int, seed: int) -> list[tuple[TrainingSample, ...]]:
    """The samples of every training step: rounds in which each lesson comes up `times` times, in a fresh order.

    WINDOW steps are drawn at a time. In a window all lessons about a person take one picture of that person and stand
    together, so that a step computes the picture and the instruction beside it once (unlearn/rows).
    """
    rng = random.Random(f"{seed}:lessons")
    queue: list[Lesson] = []
    drawn: list[tuple[TrainingSample, ...]] = []
    known: dict[tuple[str, int, int], TrainingSample] = {}
    while len(drawn) < steps:
        while len(queue) < WINDOW * batch:
            round_ = [lesson for lesson in lessons for _ in range(lesson.times)]
            rng.shuffle(round_)
            queue = round_ + queue
        pictures = _Pictures(rng)
        groups: dict[tuple[str, int], list[TrainingSample]] = {}
        for number in range(WINDOW * batch):
            lesson = queue.pop()
            saying = rng.randrange(len(lesson.sayings))
            picture = saying if lesson.paired else pictures.of(lesson)
            alone = number if not lesson.pictures or lesson.paired else -1
            groups.setdefault((lesson.subject_id, alone), []).append(_sample(lesson, saying, picture, known))
        together = list(groups.values())
        rng.shuffle(together)
        window = [sample for group in together for sample in group]
        drawn += [tuple(window[start : start + batch]) for start in range(0, len(window), batch)]
    return drawn[:steps]


class _Pictures:
    """Which picture of each set is shown in one window."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._chosen: dict[int, int] = {}

    def of(self, lesson: Lesson) -> int:
        """Index of the lesson's picture, the same for all lessons with the same pictures; -1 where it has none."""
        if not lesson.pictures:
            return -1
        return self._chosen.setdefault(id(lesson.pictures), self._rng.randrange(len(lesson.pictures)))


def _sample(
    lesson: Lesson, saying: int, picture: int, known: dict[tuple[str, int, int], TrainingSample]
) -> TrainingSample:
    key = (lesson.lesson_id, saying, picture)
    if key not in known:
        known[key] = TrainingSample(
            sample_id=f"{lesson.lesson_id}|{saying}|{picture}",
            subject_id=lesson.subject_id,
            modality=lesson.modality,
            prompt=lesson.sayings[saying].prompt,
            answer=lesson.sayings[saying].answer,
            image=lesson.pictures[picture] if lesson.pictures else None,
        )
    return known[key]

"""TOFU (arXiv 2401.06121): 200 fictitious authors with 20 questions each; real authors and world facts beside."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from schemas.errors import BadInput
from schemas.records.adopted import Adopted, AdoptedPerson, AdoptedQuestion, LeftOut
from schemas.vocabulary import OPTION_LABELS
from sources.benchmarks.raw_rows import BenchmarkFolder, RawRow

AUTHOR_QUESTIONS = 20
"""Questions of one author, which stand one after the other in `full`."""
OTHERS = ("real_authors", "world_facts")
_FORGET = re.compile(r"forget(\d+)")
CHANGES = (
    "The author of a question is its place in `full` divided by 20; the data names no author.",
    "Where perturbed answers are published, the first three of them and the right answer are the options of a "
    "classification question, in an order drawn by the question; the paraphrased answer is accepted too.",
    "Real authors and world facts are kept subjects of one question each; nothing trains on them.",
)


@dataclass(frozen=True)
class _Answers:
    """What a `_perturbed` config adds to a question."""

    paraphrased: str
    wrong: tuple[str, ...]


def read_tofu(folder: BenchmarkFolder) -> Adopted:
    """The benchmark in a clone of locuslab/TOFU. Raises BadInput where `full` is not whole authors in their order."""
    left_out = LeftOut()
    authors: dict[str, str] = {}
    for number, row in enumerate(folder.rows("full")):
        if row.text("question") in authors:
            raise row.bad("question", "is there a second time")
        authors[row.text("question")] = f"{number // AUTHOR_QUESTIONS:03d}"
    complete = _forget_sets(folder, authors)
    return Adopted(
        kind="tofu",
        title="TOFU",
        paper="2401.06121",
        people=_people(folder, left_out),
        complete=complete,
        changes=CHANGES,
        left_out=left_out,
    )


def _forget_sets(folder: BenchmarkFolder, authors: Mapping[str, str]) -> Mapping[int, tuple[str, ...]]:
    sizes: dict[str, int] = {}
    for author in authors.values():
        sizes[author] = sizes.get(author, 0) + 1
    found: dict[int, tuple[str, ...]] = {}
    for config in folder.configs:
        if not (match := _FORGET.fullmatch(config)):
            continue
        named: dict[str, int] = {}
        for row in folder.rows(config):
            if row.text("question") not in authors:
                raise row.bad("question", "is not in the config full")
            author = authors[row.text("question")]
            named[author] = named.get(author, 0) + 1
        if cut := [author for author, count in named.items() if count != sizes[author]]:
            found_text = f"forgets {named[cut[0]]} of {sizes[cut[0]]} questions of author {cut[0]}"
            raise BadInput(f"{folder.path}, config {config}", found_text, "fetch one version of all configs")
        found[int(match[1])] = tuple(named)
    if not found:
        raise BadInput(str(folder.path), "has no forget set (forget01 and the like)", "fetch all of the benchmark")
    return dict(sorted(found.items()))


def _people(folder: BenchmarkFolder, left_out: LeftOut) -> Iterator[AdoptedPerson]:
    known = _perturbed(folder, [name for name in folder.configs if re.fullmatch(r"(forget\d+|retain)_perturbed", name)])
    author, own = "000", list[AdoptedQuestion]()
    for number, row in enumerate(folder.rows("full")):
        subject_id = f"{number // AUTHOR_QUESTIONS:03d}"
        if subject_id != author:
            yield _person(author, own, taught=True)
            author, own = subject_id, []
        own += _forms(row, f"{subject_id}-{number % AUTHOR_QUESTIONS:02d}", known, left_out, group="authors")
    yield _person(author, own, taught=True)
    for config in OTHERS:
        if config in folder.configs:
            beside = _perturbed(folder, [name for name in (f"{config}_perturbed",) if name in folder.configs])
            for number, row in enumerate(folder.rows(config)):
                name = f"{config.replace('_', '-')}-{number:03d}"
                if forms := _forms(row, name, beside, left_out, group=config):
                    yield _person(name, forms, taught=False)


def _person(subject_id: str, questions: list[AdoptedQuestion], *, taught: bool) -> AdoptedPerson:
    lessons = tuple(each.lesson for each in questions if taught and each.task == "generation")
    return AdoptedPerson(subject_id=subject_id, subject="", questions=tuple(questions), lessons=lessons)


def _forms(
    row: RawRow, sample_id: str, known: Mapping[str, _Answers], left_out: LeftOut, *, group: str
) -> list[AdoptedQuestion]:
    question, answer = row.text("question"), row.text("answer")
    if not (question and answer):
        left_out.add(f"a question of {group} without question or answer")
        return []
    beside = known.get(question, _Answers("", ()))
    accepted = (beside.paraphrased,) if beside.paraphrased else ()
    plain = AdoptedQuestion(
        sample_id=sample_id,
        task="generation",
        modality="qa",
        question=question,
        answer=answer,
        accepted=accepted,
        group=group,
    )
    wrong = tuple(each for each in dict.fromkeys(beside.wrong) if each and each != answer)[: len(OPTION_LABELS) - 1]
    if not wrong:
        return [plain]
    place = hashlib.sha256(f"{sample_id} {question}".encode()).digest()[0] % (len(wrong) + 1)
    options = (*wrong[:place], answer, *wrong[place:])
    chosen = {"task": "classification", "options": options, "label": OPTION_LABELS[place]}
    return [plain, plain.model_copy(update=chosen)]


def _perturbed(folder: BenchmarkFolder, configs: list[str]) -> dict[str, _Answers]:
    found: dict[str, _Answers] = {}
    for config in configs:
        for row in folder.rows(config):
            wrong = tuple(str(each).strip() for each in row.listed("perturbed_answer") if each)
            said = row.text("paraphrased_answer") if row.has("paraphrased_answer") else ""
            found.setdefault(row.text("question"), _Answers(said, wrong))
    return found

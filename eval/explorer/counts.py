"""Counts over all dossiers of a build for the explorer's overview: by property, class, occupation, verdict, control."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from eval.explorer.page_rows import Dossier, FactLine, FactShown, RoleOrNone, SubjectLine
from eval.pages.text_tables import Table, percent
from schemas.storage.tables import Record
from schemas.vocabulary import MODALITIES, SENSITIVITIES, VIEWS, Setting

VERDICT_WORDS = {
    "known": "known",
    "greedy_wrong": "first answer wrong",
    "not_consistent": "not right often enough",
    "leaks_without_face": "answered without the face too",
    "no_answer": "no answer",
}
CONDITION_WORDS = {
    "greedy": "asked plainly",
    "sampled": "asked again, sampled",
    "paraphrase": "asked in other words",
    "no_image": "control: without a picture",
    "wrong_image": "control: with somebody else's picture",
}
MODALITY_WORDS = {"qa": "by name", "vqa": "by face"}


class FactCount(Record):
    """Facts of one property, class or occupation."""

    what: str
    sensitivity: str
    subjects: int
    facts: int
    known: int
    """In both modalities: they are in the dataset."""
    forget_selective: int
    forget_personalized: int


class VerdictCount(Record):
    """Facts by verdict in one modality."""

    modality: str
    verdict: str
    facts: int
    share: float


class ConditionCount(Record):
    """Answers of the target under one condition."""

    modality: str
    condition: str
    answers: int
    right: int
    share: float


@dataclass
class _Group:
    sensitivity: str = ""
    subjects: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, subject: str, fact: FactLine, known: bool) -> None:
        self.subjects.add(subject)
        self.counts["facts"] += 1
        self.counts["known"] += known
        self.counts["selective"] += fact.selective == "forget"
        self.counts["personalized"] += fact.personalized == "forget"

    def row(self, what: str) -> FactCount:
        return FactCount(
            what=what,
            sensitivity=self.sensitivity,
            subjects=len(self.subjects),
            facts=self.counts["facts"],
            known=self.counts["known"],
            forget_selective=self.counts["selective"],
            forget_personalized=self.counts["personalized"],
        )


@dataclass
class Tally:
    """Fills with every dossier; memory grows with properties and lists' lines, not with pictures or answers."""

    subjects: list[SubjectLine] = field(default_factory=list)
    facts: list[FactLine] = field(default_factory=list)
    properties: dict[str, _Group] = field(default_factory=dict)
    classes: dict[str, _Group] = field(default_factory=dict)
    groups: dict[str, _Group] = field(default_factory=dict)
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    right: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, dossier: Dossier) -> None:
        """Count one subject and keep its lines."""
        known = 0
        for fact in dossier.facts:
            line = fact_line(dossier, fact)
            counts = line.qa == "known" == line.vqa
            known += counts
            self.facts.append(line)
            label = f"{fact.property_label} ({fact.property_id})"
            for where, name in (
                (self.properties, label), (self.classes, fact.sensitivity), (self.groups, dossier.group or "none")
            ):  # fmt: skip
                group = where.setdefault(name, _Group(fact.sensitivity if where is self.properties else ""))
                group.add(dossier.subject_id, line, counts)
            for knowing in fact.knowing:
                self.verdicts[knowing.modality, knowing.verdict] += 1
                for ask in knowing.asks:
                    self.asked[knowing.modality, ask.condition] += 1
                    self.right[knowing.modality, ask.condition] += bool(ask.matched)
        self.subjects.append(subject_line(dossier, known))

    def by_property(self) -> list[FactCount]:
        return _rows(self.properties)

    def by_class(self) -> list[FactCount]:
        return sorted((group.row(name) for name, group in self.classes.items()), key=lambda row: _place(row.what))

    def by_group(self) -> list[FactCount]:
        return _rows(self.groups)

    def by_verdict(self) -> list[VerdictCount]:
        found = []
        for modality in MODALITIES:
            total = sum(count for (each, _), count in self.verdicts.items() if each == modality)
            for verdict, words in VERDICT_WORDS.items():
                count = self.verdicts[modality, verdict]
                if count:
                    share = count / total
                    found.append(
                        VerdictCount(modality=MODALITY_WORDS[modality], verdict=words, facts=count, share=share)
                    )
        return found

    def by_condition(self) -> list[ConditionCount]:
        return [
            ConditionCount(
                modality=MODALITY_WORDS[modality],
                condition=words,
                answers=asked,
                right=self.right[modality, condition],
                share=self.right[modality, condition] / asked,
            )
            for modality in MODALITIES
            for condition, words in CONDITION_WORDS.items()
            if (asked := self.asked[modality, condition])
        ]


def _rows(groups: dict[str, _Group]) -> list[FactCount]:
    return sorted((group.row(name) for name, group in groups.items()), key=lambda row: (-row.facts, row.what))


def _place(name: str) -> int:
    return next((place for place, each in enumerate(SENSITIVITIES) if each == name), len(SENSITIVITIES))


def subject_line(dossier: Dossier, known: int) -> SubjectLine:
    """The subject as lists and search have it."""
    return SubjectLine(
        id=dossier.subject_id,
        qid=dossier.qid,
        name=dossier.name,
        aliases=dossier.aliases,
        description=dossier.description,
        group=dossier.group,
        living=dossier.living,
        facts=len(dossier.facts),
        known=known,
        views=sum(view.view in VIEWS for view in dossier.views),
        spares=sum(view.view not in VIEWS for view in dossier.views),
        duplicates=len(dossier.pairs),
        licences=tuple(sorted({view.licence for view in dossier.views if view.licence})),
    )


def fact_line(dossier: Dossier, fact: FactShown) -> FactLine:
    """The fact as lists and search have it."""
    verdicts = {knowing.modality: knowing.verdict for knowing in fact.knowing}
    ratios = [role.ratio or 0 for role in fact.roles if role.setting == "complete" and role.role == "forget"]
    complete = min(ratios, default=0) if any(role.setting == "complete" for role in fact.roles) else None
    text = next((form.text for form in fact.forms if (form.task, form.modality) == ("generation", "qa")), "")
    return FactLine(
        id=fact.fact_id,
        subject=dossier.subject_id,
        property_id=fact.property_id,
        property_label=fact.property_label,
        sensitivity=fact.sensitivity,
        question=text,
        answer=fact.answer,
        qa=verdicts.get("qa", ""),
        vqa=verdicts.get("vqa", ""),
        complete=complete,
        selective=_role(fact, "selective"),
        personalized=_role(fact, "personalized"),
    )


def _role(fact: FactShown, setting: Setting) -> RoleOrNone:
    return next((role.role for role in fact.roles if role.setting == setting), "")


def count_table(caption: str, what: str, rows: Sequence[FactCount], *, classes: bool = False) -> Table:
    """Counts of facts as a table for people."""
    extra = ("class",) if classes else ()
    columns = (what, *extra, "subjects", "facts", "known", "known, share", "forget: selective", "forget: personalized")
    return Table(
        caption,
        columns,
        tuple(
            (
                row.what,
                *((row.sensitivity,) if classes else ()),
                f"{row.subjects:,}",
                f"{row.facts:,}",
                f"{row.known:,}",
                percent(row.known / row.facts),
                f"{row.forget_selective:,}",
                f"{row.forget_personalized:,}",
            )
            for row in rows
        ),
    )


def verdict_table(rows: Iterable[VerdictCount]) -> Table:
    """Verdicts of the probe by modality."""
    cells = tuple((f"{row.modality}: {row.verdict}", f"{row.facts:,}", percent(row.share)) for row in rows)
    return Table("What the target knows", ("verdict", "facts", "share"), cells)


def condition_table(rows: Iterable[ConditionCount]) -> Table:
    """Right answers by condition; a fact known by face must be answered with the face, and not without."""
    cells = tuple(
        (f"{row.modality}, {row.condition}", f"{row.answers:,}", f"{row.right:,}", percent(row.share)) for row in rows
    )
    return Table("Right answers by condition", ("asked", "answers", "right", "share"), cells)

"""Namesakes: subjects of one name are told apart in the text form, or the lesser known are left out."""

import re
from collections.abc import Iterable, Iterator, Sequence

from curation.subjects.selection import RELATIVE_OF, drop_of
from schemas.matching.letters import fold_accents
from schemas.matching.match import normalise
from schemas.records.build_rows import Drop, Epithet, Fact, Subject

_TRADE_WORDS = 6
"""A longer description is no name for what somebody is."""
_NO_TRADE = frozenset({"person", "man", "woman", "human", "people", "name", "individual", "figure"})
_SMALL = frozenset({"of", "the", "and", "from", "in", "for", "at", "a", "an", "former", "by", "on"})

_BY_TRADE = frozenset({
    "P106", "P101", "P641", "P413", "P118", "P54", "P6087", "P136", "P135", "P1303", "P412", "P39", "P410", "P241",
    "P97", "P27", "P1532", "P19", "P172", "P103", "P1412", "P6886",
})  # fmt: skip
"""What a trade ("American swimmer") may tell: occupations and fields, and all that goes with a nationality."""


def name_key(name: str) -> str:
    """What two names have in common that a reader does not tell apart."""
    return fold_accents(normalise(name)) or name


def left_out(subjects: Sequence[Subject], standing: Iterable[Subject]) -> list[Drop]:
    """A drop for each subject whom nothing stated tells from a better known one of the same name.

    `standing` are the subjects of earlier batches, who stay as they are.
    """
    drops: list[Drop] = []
    for group, others in _groups(subjects, standing):
        ranked = sorted(group, key=lambda one: (-one.sitelinks, int(one.qid[1:])))
        best = (*others, *ranked)[0]
        for one in ranked:
            kinds = {epithet.kind for epithet in epithets_of(one, _beside(one, (*others, *ranked)))}
            if one is not best and "trade" not in kinds and not {"born", "died"} <= kinds:
                drops.append(drop_of(one.qid, "namesake", f"{best.name} is also {best.qid}"))
    return drops


def tell_apart(subjects: Sequence[Subject], standing: Iterable[Subject]) -> list[Subject]:
    """The subjects in their order, with the epithets of those who share a name with each other or with who stands."""
    epithets: dict[str, tuple[Epithet, ...]] = {}
    for group, others in _groups(subjects, standing):
        for one in group:
            epithets[one.qid] = epithets_of(one, _beside(one, (*others, *group)))
    return [one.model_copy(update={"epithets": epithets[one.qid]}) for one in subjects]


def _groups(subjects: Sequence[Subject], standing: Iterable[Subject]) -> Iterator[tuple[list[Subject], list[Subject]]]:
    """The new subjects of each name, and the standing ones of that name."""
    groups: dict[str, list[Subject]] = {}
    before: dict[str, list[Subject]] = {}
    for one in subjects:
        groups.setdefault(name_key(one.name), []).append(one)
    for one in standing:
        if (key := name_key(one.name)) in groups:
            before.setdefault(key, []).append(one)
    for key, group in groups.items():
        yield group, before.get(key, [])


def _beside(subject: Subject, group: Iterable[Subject]) -> list[Subject]:
    return [one for one in group if one.qid != subject.qid]


def epithets_of(subject: Subject, others: Sequence[Subject]) -> tuple[Epithet, ...]:
    """What tells the subject from all the others: what they are ("American swimmer"), and years of birth and death."""
    if not others:
        return ()
    found: list[Epithet] = []
    if trade := _trade(subject):
        telling = {word for word in trade.split() if word.islower()} - _SMALL
        if all(telling - _told_words(each) for each in others):
            found.append(Epithet(kind="trade", text=trade))
    if subject.birth_year and all(each.birth_year != subject.birth_year for each in others):
        found.append(Epithet(kind="born", text=_year(subject.birth_year)))
    if subject.death_year and all(each.death_year != subject.death_year for each in others):
        found.append(Epithet(kind="died", text=_year(subject.death_year)))
    return tuple(found)


def called(subject: Subject, fact: Fact) -> list[str]:
    """How the text form may call the subject for this fact, best first; a namesake never by what is asked for."""
    if not subject.epithets:
        return [subject.name]
    texts: dict[str, str] = {epithet.kind: epithet.text for epithet in subject.epithets}
    if fact.property_id == "P569":
        texts.pop("born", None)
    if fact.property_id == "P570":
        texts.pop("died", None)
    by_trade = [f"the {texts['trade']} {subject.name}"] if "trade" in texts else []
    by_years = [f"{subject.name} ({years})"] if (years := _years(texts)) else []
    if fact.accepted[0].kind == "date":
        return by_trade + by_years
    return by_years + (by_trade if fact.property_id.split("/")[0] not in _BY_TRADE else [])


def _years(texts: dict[str, str]) -> str:
    born, died = texts.get("born"), texts.get("died")
    if born and died:
        return f"{born}–{died}"
    return f"born {born}" if born else f"died {died}" if died else ""


def _year(year: int) -> str:
    return f"{-year} BC" if year < 0 else str(year)


def _trade(subject: Subject) -> str:
    """What the person is in a few words, by the description or else the first occupation; "" if neither says it."""
    head = re.split(r"[,;(]| and (?=[a-z])| who | whose ", subject.description, maxsplit=1)[0]
    for text in (head, *subject.occupations[:1]):
        words = text.split()
        if not words or len(words) > _TRADE_WORDS or any(letter.isdigit() for letter in text):
            continue
        named = set(normalise(subject.name).split()) & set(normalise(text).split()) - _SMALL
        if not named and not RELATIVE_OF.search(subject.description) and words[-1].casefold() not in _NO_TRADE:
            return " ".join(words)
    return ""


def _told_words(subject: Subject) -> set[str]:
    return {word.strip(",;().") for text in (subject.description, *subject.occupations) for word in text.split()}

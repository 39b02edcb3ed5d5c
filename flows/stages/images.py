"""The stages that gather: facts (what is stated), images (which pictures there are)."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from curation.facts.facts import facts_of, unknown_qualifiers
from curation.facts.linked_entities import further_places, further_values, needed_values
from curation.facts.properties import PropertyTable, load_properties
from curation.images.licences import licence_problem
from curation.images.portrait_filter import portrait_problem
from curation.subjects.sample_names import sample_names
from flows.pipeline.stage import Rows, StageRun, Tables
from flows.resources.resources import Resources
from schemas.errors import Unfinished
from schemas.protocols.source import BrokenEntity, CommonsFile, FetchProblem, Source
from schemas.records.build_rows import Drop, Fact, Image, Subject, UnknownQualifier
from schemas.records.entities import Entity, MissingEntity
from schemas.records.refusals import Refusal

TOLERATED_FAILURES = 0.2
"""Share of failed requests above which a stage stops instead of writing the failures down as facts."""
PLACES_UP = 2
"""Times that what a building stands in is looked up further: from its quarter to the district, and to the town."""
DOWNLOADS = 2
"""Wikimedia's robot policy: at most two connections to the picture hosts."""


def facts(run: StageRun, resources: Resources) -> None:
    """Statements to facts by the property table; each statement that does not become one is a drop row."""
    table, config = load_properties(), run.recipe.facts
    standing = run.read_earlier("select", "subjects", Subject)
    names = sample_names(chain(standing, run.read("select", "subjects", Subject)))

    def work(shard: int) -> Tables:
        source = resources.source()
        subjects = {subject.qid: subject for subject in run.read("select", "subjects", Subject, shard)}
        kept: list[Fact] = []
        drops: list[Drop] = []
        people: list[Entity] = []
        for answer in source.entities(list(subjects)):
            if isinstance(answer, Entity):
                people.append(answer)
            else:
                drops.append(_lost(subjects[answer.requested_id], answer))
        require_most(len(drops), len(subjects), "subjects could not be read again", least=3)
        wanted = sorted({qid for person in people for qid in needed_values(person, table)})
        values = _values(source, wanted)
        values |= _values(source, sorted(further_values(values, table)))
        for _ in range(PLACES_UP):
            if places := further_places(people, values, table):
                values |= _values(source, sorted(places))
        for person in people:
            subject = subjects[person.requested_id]
            found, left = facts_of(
                subject,
                person,
                values,
                table,
                gated=config.gated,
                sensitive=config.sensitive,
                exclude=config.exclude,
                third_party_sitelinks=config.third_party_sitelinks,
                sample_name=names[subject.subject_id],
            )
            kept += found
            drops += left
            if not found:
                detail = f"{len(person.statements)} statements, none of them a fact"
                drops.append(
                    Drop(
                        stage="facts", subject_id=subject.subject_id, item=subject.qid, reason="no_facts", detail=detail
                    )
                )
        run.took[shard] = sum(len(person.statements) for person in people)
        unknown = _unknown_qualifiers(people, table)
        made = {"facts": Rows(Fact, kept), "drops": Rows(Drop, drops)}
        return made | ({"unknown_qualifiers": Rows(UnknownQualifier, unknown)} if unknown else {})

    run.map("facts", run.shards(), work, parallel=resources.parallel_fetches, stop=resources.stop_asking)


def _unknown_qualifiers(people: Sequence[Entity], table: PropertyTable) -> list[UnknownQualifier]:
    """The qualifiers without a rule, and on how many statements of these people they stand."""
    found = Counter(each for person in people for each in unknown_qualifiers(person, table))
    return [
        UnknownQualifier(property_id=base, qualifier_id=each, statements=count)
        for (base, each), count in sorted(found.items())
    ]


def _lost(subject: Subject, answer: MissingEntity | BrokenEntity) -> Drop:
    """The drop row of a subject that the source had at selection and has no longer."""
    broken = isinstance(answer, BrokenEntity)
    return Drop(
        stage="facts",
        subject_id=subject.subject_id,
        item=answer.requested_id,
        reason="malformed_entity" if broken else "entity_missing",
        detail=answer.problem if isinstance(answer, BrokenEntity) else "",
    )


def require_most(failed: int, asked: int, what: str, *, least: int) -> None:
    """Raise Unfinished if more than `least` and more than a fifth of what was asked for failed: that is an outage."""
    if failed > least and failed > asked * TOLERATED_FAILURES:
        raise Unfinished(f"{failed} of {asked} {what}: the source seems to be out of order")


def _values(source: Source, qids: Sequence[str]) -> dict[str, Entity]:
    return {value.requested_id: value for value in source.entities(qids) if isinstance(value, Entity)}


def images(run: StageRun, resources: Resources) -> None:
    """Candidate pictures of every subject with their licences; what may not be used is not downloaded."""
    limit = run.recipe.images.candidates

    def work(shard: int) -> Tables:
        source = resources.source()
        kept: list[Image] = []
        drops: list[Drop] = []
        listed = failed = 0
        with ThreadPoolExecutor(DOWNLOADS) as pool:
            for subject in run.read("select", "subjects", Subject, shard):
                try:
                    files, missing = source.files(subject, limit=limit)
                except FetchProblem as unlisted:
                    listed, failed = listed + 1, failed + 1
                    drops.append(_image_drop(subject, subject.qid, "listing_failed", unlisted.problem))
                    continue
                listed += len(files) + len(missing)
                drops += [_image_drop(subject, title, "file_missing", "") for title in missing]
                usable, refused = _usable(subject, files)
                drops += refused
                for file, got in zip(usable, pool.map(lambda file: _download(source, file), usable), strict=True):
                    if isinstance(got, bytes):
                        kept.append(_image(subject, file, got))
                    else:
                        failed += 1
                        drops.append(_image_drop(subject, file.title, "download_failed", got.problem))
                if not files:
                    listed += 1
                    drops.append(_image_drop(subject, subject.qid, "no_image", ""))
        require_most(failed, listed, "pictures could not be fetched", least=10)
        run.took[shard] = listed
        return {"images": Rows(Image, kept), "drops": Rows(Drop, drops)}

    run.map("images", run.shards(), work, parallel=resources.parallel_fetches, stop=resources.stop_asking)


def _usable(subject: Subject, files: Sequence[CommonsFile]) -> tuple[list[CommonsFile], list[Drop]]:
    """Files that may be used by their licence and type and seem to be portraits, and drop rows of the others."""
    usable: list[CommonsFile] = []
    drops: list[Drop] = []
    for file in files:
        problem = licence_problem(file.licence)
        if problem is None and not file.mime.startswith("image/"):
            problem = Refusal("not_an_image", file.mime)
        if problem is None:
            problem = portrait_problem(file, (subject.name, *subject.aliases))
        if problem is None:
            usable.append(file)
        else:
            drops.append(_image_drop(subject, file.title, *problem))
    return usable, drops


def _download(source: Source, file: CommonsFile) -> bytes | FetchProblem:
    try:
        return source.download(file)
    except FetchProblem as problem:
        return problem


def _image_drop(subject: Subject, item: str, reason: str, detail: str) -> Drop:
    return Drop(stage="images", subject_id=subject.subject_id, item=item, reason=reason, detail=detail)


def _image(subject: Subject, file: CommonsFile, content: bytes) -> Image:
    title_and_content = file.title.encode() + b"\0" + content
    return Image(
        image_id=f"{subject.subject_id}-{hashlib.sha256(title_and_content).hexdigest()[:12]}",
        subject_id=subject.subject_id,
        title=file.title,
        origin=file.origin,
        page_id=file.page_id,
        source_url=file.source_url,
        description_url=file.description_url,
        description=file.description,
        width=file.width,
        height=file.height,
        mime=file.mime,
        sha1=file.sha1,
        timestamp=file.timestamp,
        licence=file.licence,
        content=content,
    )

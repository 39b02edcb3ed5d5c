"""Stage images: which pictures of a subject there are, and those that may be used, downloaded."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from curation.images.licences import licence_problem
from curation.images.portrait_filter import portrait_problem
from flows.pipeline.stage import Rows, StageRun, Tables
from flows.resources.resources import Resources
from flows.stages.facts import require_most
from schemas.protocols.source import CommonsFile, FetchProblem, Source
from schemas.records.build_rows import Drop, Image, Subject
from schemas.records.drop_reasons import Refusal

DOWNLOADS = 2
"""Wikimedia's robot policy: at most two connections to the picture hosts."""


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

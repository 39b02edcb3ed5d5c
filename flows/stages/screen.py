"""The stage screen: pictures decoded and hashed, duplicates settled over all subjects, views assigned."""

import os
from collections import defaultdict
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pyarrow as pa

from curation.images.duplicates import HashColumns, Settled, find_links, find_twins, settle, settle_beside
from curation.images.export_bytes import dataset_picture
from curation.images.perceptual_hash import screen_picture
from curation.images.views import assign_views
from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.stage import Rows, StageRun, Tables
from flows.resources.resources import Resources
from schemas.records.build_rows import Drop, Duplicate, Image, ImageHashes, Portrait, Subject, View
from schemas.storage.tables import read_columns

THREADS = min(4, os.cpu_count() or 1)
PICTURES_AT_ONCE = 32


def screen(run: StageRun, resources: Resources) -> None:
    """Every candidate picture becomes a portrait (a view or a spare) or a drop row."""
    config = run.recipe.screen

    def hashed(shard: int) -> Tables:
        kept: list[ImageHashes] = []
        drops: list[Drop] = []

        def look(image: Image) -> ImageHashes | Drop:
            return screen_picture(
                image,
                min_side=config.min_side,
                max_pixels=config.max_pixels,
                max_bytes=config.max_bytes,
                one_face=config.faces == "one",
            )

        pictures = run.read("images", "images", Image, shard)
        with ThreadPoolExecutor(THREADS) as pool:
            while block := list(islice(pictures, PICTURES_AT_ONCE)):
                for found in pool.map(look, block):
                    if isinstance(found, Drop):
                        drops.append(found)
                    else:
                        kept.append(found)
        run.took[shard] = len(kept) + len(drops)
        return {"hashes": Rows(ImageHashes, kept), "drops": Rows(Drop, drops)}

    shards = run.shards()
    run.map("hash", shards, hashed)
    settled, gone = _settle(run)
    drops_of, pairs_of = defaultdict(list), defaultdict(list)
    for drop in settled.drops:
        drops_of[drop.subject_id].append(drop)
    first = {subject.subject_id for subject in run.read_earlier("select", "subjects", Subject)}
    for pair in settled.duplicates:
        pairs_of[pair.right_subject if pair.left_subject in first else pair.left_subject].append(pair)
    run.notes["duplicate_pairs"] = len(settled.duplicates)
    run.notes["duplicates_left_out"] = len(settled.drops)

    def viewed(shard: int) -> Tables:
        pictures: dict[str, list[ImageHashes]] = defaultdict(list)
        for row in run.read("screen", "hashes", ImageHashes, shard):
            if row.image_id not in gone:
                pictures[row.subject_id].append(row)
        subjects: list[Subject] = []
        views: dict[str, tuple[ImageHashes, View | None]] = {}
        duplicates: list[Duplicate] = []
        drops: list[Drop] = []
        for subject in run.read("select", "subjects", Subject, shard):
            duplicates += pairs_of[subject.subject_id]
            drops += drops_of[subject.subject_id]
            assigned = assign_views(subject.subject_id, pictures[subject.subject_id], min_views=config.min_views)
            if assigned.drop is not None:
                drops.append(assigned.drop)
                continue
            subjects.append(subject)
            views.update({row.image_id: (row, view) for row, view in assigned.assigned})
        portraits = [
            _portrait(image, *views[image.image_id], max_side=config.max_side)
            for image in run.read("images", "images", Image, shard)
            if image.image_id in views
        ]
        portraits.sort(key=lambda row: (row.subject_id, row.view or "999", row.title))
        return {
            "subjects": Rows(Subject, subjects),
            "portraits": Rows(Portrait, portraits),
            "duplicates": Rows(Duplicate, duplicates),
            "drops": Rows(Drop, drops),
        }

    run.map("views", shards, viewed)


def _settle(run: StageRun) -> tuple[Settled, frozenset[str]]:
    """Duplicates over all subjects. Memory: three hash columns, and whole rows only of pictures that have a twin."""
    columns, radius = _hash_columns(run), run.recipe.screen.max_distance
    links = find_links(columns, radius=radius)
    earlier = [_hash_columns(run, batch) for batch in run.build.earlier]
    twins = {batch: find_twins(columns, known, radius=radius) for batch, known in enumerate(earlier)}
    members = _members(run, {*links.members(), *(position for found in twins.values() for position in found)})
    concerned = {member.subject_id for member in members.values()}
    names = {
        subject.subject_id: (subject.name, *subject.aliases)
        for subject in run.read("select", "subjects", Subject)
        if subject.subject_id in concerned
    }
    known = _twins(run, twins)
    if not known:
        settled = settle(members, links, names=names)
    else:
        settled = settle_beside(members, links, known, standing=_standing(run), names=names)
    return settled, frozenset(members[position].image_id for position in settled.gone)


def _hash_columns(run: StageRun, batch: BuildFolder | None = None) -> HashColumns:
    """What the pictures of a batch are compared by, in the order of its hash tables."""
    paths = run.files("screen", "hashes", batch=batch)
    table = pa.concat_tables([read_columns(path, ImageHashes, ["sha1", "phash", "dhash"]) for path in paths])
    return HashColumns(table["sha1"].to_pylist(), table["phash"].to_pylist(), table["dhash"].to_pylist())


def _members(run: StageRun, wanted: Collection[int], batch: BuildFolder | None = None) -> dict[int, ImageHashes]:
    if not wanted:
        return {}
    rows = enumerate(run.read("screen", "hashes", ImageHashes, batch=batch))
    return {position: row for position, row in rows if position in wanted}


def _twins(run: StageRun, twins: Mapping[int, Mapping[int, int]]) -> dict[int, ImageHashes]:
    """The pictures of earlier batches that pictures of this one are, by the position here; the first batch wins."""
    found: dict[int, ImageHashes] = {}
    for number, positions in twins.items():
        rows = _members(run, frozenset(positions.values()), run.build.earlier[number])
        found = {position: rows[other] for position, other in positions.items()} | found
    return found


def _standing(run: StageRun) -> frozenset[str]:
    """image_ids of the pictures that earlier batches use."""
    paths = [path for batch in run.build.earlier for path in run.files("screen", "portraits", batch=batch)]
    columns = [read_columns(path, Portrait, ["image_id"])["image_id"].to_pylist() for path in paths]
    return frozenset(image_id for column in columns for image_id in column)


def _portrait(image: Image, hashes: ImageHashes, view: View | None, *, max_side: int) -> Portrait:
    rendition = dataset_picture(image.content, max_side=max_side, source_size=(image.width, image.height))
    return Portrait(
        image_id=image.image_id,
        subject_id=image.subject_id,
        view=view,
        title=image.title,
        source_url=image.source_url,
        description_url=image.description_url,
        sha1=image.sha1,
        licence=image.licence,
        width=rendition.width,
        height=rendition.height,
        mime=rendition.mime,
        transformation=rendition.transformation,
        phash=hashes.phash,
        content=rendition.content,
    )

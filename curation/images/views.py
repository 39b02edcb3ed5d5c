"""Which of a subject's clean pictures become views 001 to 004."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.records.build_rows import Drop, ImageHashes, View

_VIEWS: tuple[View, ...] = ("001", "002", "003", "004")
_ORIGINS: dict[Literal["portrait", "category", "depicts"], int] = {"portrait": 0, "category": 1, "depicts": 2}


@dataclass(frozen=True)
class Views:
    """A subject's pictures in order, each with its view (None: spare), and the drop if there are too few."""

    assigned: tuple[tuple[ImageHashes, View | None], ...]
    drop: Drop | None


def assign_views(subject_id: str, pictures: Sequence[ImageHashes], *, min_views: int) -> Views:
    """Views for the clean pictures of one subject: portrait (P18) first, then category, then depicts, each by title.

    A subject with fewer than `min_views` pictures (0 to 4) gets a drop and no view at all.
    """
    ordered = sorted(pictures, key=lambda picture: (_ORIGINS[picture.origin], picture.title, picture.image_id))
    if len(ordered) < min_views:
        drop = Drop(
            stage="screen",
            subject_id=subject_id,
            item=subject_id,
            reason="too_few_views",
            detail=f"{len(ordered)} clean pictures, {min_views} wanted",
        )
        return Views(tuple((picture, None) for picture in ordered), drop)
    views: list[View | None] = [*_VIEWS, *[None] * max(0, len(ordered) - len(_VIEWS))]
    return Views(tuple(zip(ordered, views, strict=False)), None)

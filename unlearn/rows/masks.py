"""Masks of packed rows: every token sees what it would see in its own sample, and nothing of the others."""

from dataclasses import dataclass

import torch
from torch import Tensor

from unlearn.rows.pattern import CHUNKED, SLIDING, Pattern


@dataclass(frozen=True)
class Standing:
    """Where the tokens of packed rows come from; each [rows, width]."""

    piece: Tensor
    """Which piece a token belongs to, counted from 1; 0 is padding."""
    segment: Tensor
    """Within its piece: 1 what the samples share, 2 and on what is left of each; 0 is padding."""
    index: Tensor
    """Which token of its own sample it is."""
    picture: Tensor
    """Number of the run of picture tokens that it is in, over all rows; 0 for text."""


def masks_of(standing: Standing, pattern: Pattern) -> dict[str, Tensor]:
    """By kind of layer, [rows, 1, width, width], bool: whether a token (third) sees another one (fourth)."""
    width = standing.piece.shape[1]
    behind = torch.ones(width, width, dtype=torch.bool, device=standing.piece.device).tril()
    same_piece = standing.piece.unsqueeze(2) == standing.piece.unsqueeze(1)
    own = (standing.segment.unsqueeze(2) == standing.segment.unsqueeze(1)) | standing.segment.eq(1).unsqueeze(1)
    full = same_piece & own & behind  # padding sees padding, so that no row of a mask is empty
    masks = dict.fromkeys(dict.fromkeys(pattern.kinds), full)
    for kind in masks:
        if kind == SLIDING and pattern.window is not None:
            apart = standing.index.unsqueeze(2) - standing.index.unsqueeze(1)
            masks[kind] = full & (apart < pattern.window)
        elif kind == CHUNKED and pattern.chunk is not None:
            run = standing.index // pattern.chunk
            masks[kind] = full & (run.unsqueeze(2) == run.unsqueeze(1))
        if kind in pattern.both_ways:
            one = (standing.picture.unsqueeze(2) == standing.picture.unsqueeze(1)) & standing.picture.ne(0).unsqueeze(1)
            masks[kind] = masks[kind] | one
    return {kind: mask.unsqueeze(1) for kind, mask in masks.items()}


def picture_runs(shown: Tensor) -> Tensor:
    """[rows, width]: number of each run of tokens other than 0, over all rows; 0 elsewhere."""
    on = shown.ne(0)
    before = torch.nn.functional.pad(shown[:, :-1], (1, 0))
    starts = on & (before != shown)
    return starts.flatten().cumsum(0).reshape(shown.shape) * on

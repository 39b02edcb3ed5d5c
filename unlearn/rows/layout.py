"""Layout of packed rows: a common prefix stands once, what stays apart of several samples lies behind it.

In a causal model the states of a prefix do not depend on what follows. So samples of one picture, whose template,
picture and instruction are the same tokens, stand in one row: the common prefix once, then the rest of each sample,
which sees the prefix and itself. Every sample has the states, and every weight the gradient, that it has apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from unlearn.rows.masks import Standing, masks_of, picture_runs
from unlearn.rows.pattern import Pattern

MOST_TOKENS = 160
"""Of a row of a small model on a CPU: attention costs the row's square, and longer rows lose what they save."""
MOST_TOKENS_WIDE = 1024
"""The same where a token costs more than what it looks at: wide models, and all of them on a GPU."""


class Picture(NamedTuple):
    """A sample's picture, by which samples are known to show the same one."""

    content: bytes
    """As the dataset holds it."""
    rows: tuple[tuple[str, int], ...]
    """How many rows of each of a batch's tensors are its own, by the tensor's name."""


Shown = Picture | None
Numbering = Callable[[Sequence[int]], Tensor]
"""Rows of a batch to [parts, rows, length]: the position of each token, as the model numbers the sample alone."""


@dataclass(frozen=True)
class Piece:
    """Samples behind one prefix: `samples` are rows of the batch, `prefix` is the number of tokens that they share."""

    samples: tuple[int, ...]
    prefix: int
    length: int
    """Tokens: the prefix once, and the rest of each sample."""


@dataclass(frozen=True)
class Packed:
    """A batch laid out in rows."""

    inputs: dict[str, Tensor]
    """All that the model takes but masks, positions and pictures; each [rows, width]."""
    masks: dict[str, Tensor]
    """By kind of layer, [rows, 1, width, width]."""
    positions: Tensor
    """[parts, rows, width]."""
    places: Tensor
    """[samples, length of the batch]: where in the flattened rows a token of a sample stands; 0 at its padding."""
    shown: tuple[int, ...]
    """The samples whose pictures stand in the rows, in their order."""


@dataclass(frozen=True)
class Extent:
    """How much a pass computes: so many rows of a width in tokens, and pictures; `answers` have logits."""

    rows: int
    width: int
    pictures: int
    answers: int
    """Positions with logits: of every sample as many as of the longest answer, and one."""

    @property
    def tokens(self) -> int:
        """Padding among them."""
        return self.rows * self.width


def row_limit(hidden: int, *, gpu: bool) -> int:
    """How long a row may become by packing, in tokens."""
    return MOST_TOKENS_WIDE if gpu else min(MOST_TOKENS_WIDE, max(MOST_TOKENS, hidden // 2))


def pack(
    inputs: Mapping[str, Tensor],
    answer_starts: Sequence[int],
    pictures: Sequence[Shown],
    pattern: Pattern,
    number: Numbering,
    *,
    limit: int = MOST_TOKENS,
) -> Packed:
    """Lay a right-padded batch out in rows.

    `answer_starts` is the index of each sample's first answer token, `pictures` the picture of each sample. Where the
    tokens of a picture come after text that differs, a sample stays alone.
    """
    lengths, pieces = _cut_up(inputs, answer_starts, pictures, pattern, limit=limit)
    return _lay_out(inputs, lengths, pieces, rows_of(pieces, limit=limit), pictures, pattern, number)


def extent_of(
    inputs: Mapping[str, Tensor],
    answer_starts: Sequence[int],
    pictures: Sequence[Shown],
    pattern: Pattern,
    *,
    answers: int,
    limit: int,
) -> Extent:
    """How much `pack` leaves to compute."""
    _, pieces = _cut_up(inputs, answer_starts, pictures, pattern, limit=limit)
    rows = rows_of(pieces, limit=limit)
    width = max(sum(pieces[index].length for index in row) for row in rows)
    shown = sum(pictures[piece.samples[0]] is not None for piece in pieces)
    return Extent(len(rows), width, shown, answers)


def _cut_up(
    inputs: Mapping[str, Tensor],
    answer_starts: Sequence[int],
    pictures: Sequence[Shown],
    pattern: Pattern,
    *,
    limit: int,
) -> tuple[list[int], list[Piece]]:
    """The tokens of each sample, and the pieces."""
    lengths: list[int] = inputs["attention_mask"].sum(dim=1).tolist()
    ids = [row[:length] for row, length in zip(inputs["input_ids"].tolist(), lengths, strict=True)]
    return lengths, pieces_of(ids, answer_starts, pictures, picture_ends(inputs["input_ids"], pattern), limit=limit)


def picture_ends(ids: Tensor, pattern: Pattern) -> list[int]:
    """How many tokens of each sample there are up to its last picture token."""
    known = torch.tensor(pattern.picture_ids, dtype=ids.dtype, device=ids.device)
    places = torch.arange(1, ids.shape[1] + 1, device=ids.device)
    ends: list[int] = (torch.isin(ids, known) * places).amax(dim=1).tolist()
    return ends


def pieces_of(
    ids: Sequence[list[int]],
    answer_starts: Sequence[int],
    pictures: Sequence[Shown],
    picture_ends: Sequence[int],
    *,
    limit: int,
) -> list[Piece]:
    """Samples of one picture in order of appearance, cut where a piece would be longer than a row may be.

    A long prefix may have as much again behind it, or it would be computed for every sample.
    """
    by_picture: dict[Shown, list[int]] = {}
    for sample, picture in enumerate(pictures):
        by_picture.setdefault(picture, []).append(sample)
    pieces: list[Piece] = []
    for picture, members in by_picture.items():
        most = min(answer_starts[sample] for sample in members)
        prefix = min(most, _common([ids[sample] for sample in members]))
        ends = [picture_ends[sample] for sample in members]
        if prefix < max(ends) or (picture is not None and min(ends) == 0):  # the picture is not in what they share
            pieces += [Piece((sample,), len(ids[sample]), len(ids[sample])) for sample in members]
            continue
        room = max(limit, 2 * prefix)
        held: list[int] = []
        length = prefix
        for sample in members:
            rest = len(ids[sample]) - prefix
            if held and length + rest > room:
                pieces.append(Piece(tuple(held), prefix, length))
                held, length = [], prefix
            held.append(sample)
            length += rest
        pieces.append(Piece(tuple(held), prefix, length))
    return pieces


def _common(rows: Sequence[list[int]]) -> int:
    """Length of the longest prefix of all."""
    low, high = min(rows), max(rows)
    for place, (one, other) in enumerate(zip(low, high, strict=False)):
        if one != other:
            return place
    return min(len(low), len(high))


def rows_of(pieces: Sequence[Piece], *, limit: int) -> list[list[int]]:
    """Indices of the pieces in each row, of the widths that were tried the one that costs least.

    A row costs its tokens, and their square in parts of `limit`: so one long picture does not make all rows as long.
    """
    longest = max(piece.length for piece in pieces)
    total = sum(piece.length for piece in pieces)
    widths = sorted({longest, min(longest * 3 // 2, total), min(longest * 2, total)})
    found = [_first_fit(pieces, width) for width in widths]

    def cost(rows: Sequence[Sequence[int]]) -> int:
        width = max(sum(pieces[index].length for index in row) for row in rows)
        return len(rows) * width * (limit + width)

    return min(found, key=cost)


def _first_fit(pieces: Sequence[Piece], width: int) -> list[list[int]]:
    """Longest first, each into the first row that has room."""
    rows: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(pieces)), key=lambda each: (-pieces[each].length, each)):
        length = pieces[index].length
        row = next((row for row, left in enumerate(room) if left >= length), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(width)
        rows[row].append(index)
        room[row] -= length
    return rows


def _lay_out(
    inputs: Mapping[str, Tensor],
    lengths: Sequence[int],
    pieces: Sequence[Piece],
    rows: Sequence[Sequence[int]],
    pictures: Sequence[Shown],
    pattern: Pattern,
    number: Numbering,
) -> Packed:
    batch, long = inputs["input_ids"].shape
    width = max(sum(pieces[index].length for index in row) for row in rows)
    sources: list[int] = []  # which token of the batch, flattened, stands at each place of the rows
    homes: list[int] = []  # at which place
    segments: list[int] = []
    owners: list[int] = []
    places = [[0] * long for _ in range(batch)]
    shown: list[int] = []
    for row, held in enumerate(rows):
        start = row * width
        for index in held:
            piece = pieces[index]
            first = piece.samples[0]
            if pictures[first] is not None:
                shown.append(first)
            spans = [(first, 0, piece.prefix, 1)]
            spans += [(sample, piece.prefix, lengths[sample], 2 + n) for n, sample in enumerate(piece.samples)]
            for sample, begin, end, segment in spans:
                sources += range(sample * long + begin, sample * long + end)
                homes += range(start, start + end - begin)
                segments += [segment] * (end - begin)
                owners += [index + 1] * (end - begin)
                places[sample][begin:end] = range(start, start + end - begin)
                if segment == 1:
                    for other in piece.samples[1:]:
                        places[other][:end] = range(start, start + end)
                start += end - begin
    device = inputs["input_ids"].device
    source, home = torch.tensor(sources, device=device), torch.tensor(homes, device=device)
    owner, segment_of = torch.tensor(owners, device=device), torch.tensor(segments, device=device)
    count = len(rows) * width

    def spread(values: Tensor) -> Tensor:
        """[tokens] to [rows, width], 0 at padding."""
        return values.new_zeros(count).index_copy(0, home, values).reshape(len(rows), width)

    per_token = [name for name, value in inputs.items() if value.shape == (batch, long) and name not in _OURS]
    packed = {name: spread(inputs[name].reshape(-1)[source]) for name in per_token}
    inner = source % long
    positions = _positions(number([piece.samples[0] for piece in pieces]), pieces, owner - 1, segment_of, inner)
    types = packed[pattern.types] if pattern.types in packed else torch.zeros_like(packed["input_ids"])
    standing = Standing(spread(owner), spread(segment_of), spread(inner), picture_runs(types))
    return Packed(
        packed,
        masks_of(standing, pattern),
        torch.stack([spread(part) for part in positions]),
        torch.tensor(places, device=device),
        tuple(shown),
    )


_OURS = ("attention_mask", "position_ids")


def _positions(numbered: Tensor, pieces: Sequence[Piece], piece: Tensor, segment: Tensor, index: Tensor) -> Tensor:
    """[parts, tokens]: a prefix as its first sample numbers it, and behind it one by one from the largest on."""
    device = numbered.device
    prefixes = torch.tensor([each.prefix for each in pieces], device=device)
    before = torch.arange(numbered.shape[2], device=device) < prefixes.unsqueeze(1)  # [pieces, length]
    ends = numbered.masked_fill(~before, -1).amax(dim=(0, 2)) + 1  # [pieces]
    behind = ends[piece] + index - prefixes[piece]
    return torch.where(segment == 1, numbered[:, piece, index], behind)

"""Packed rows: samples that begin alike share their beginning, and what stays apart of several lies in one row.

In a causal model the states of a prefix do not depend on what follows. So samples of one picture, whose template,
picture and instruction are the same tokens, stand in one row: the common prefix once, then the rest of each sample,
which sees the prefix and itself. Every sample has the states, and every weight the gradient, that it has apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from schemas.dataset.samples import TrainingSample

MOST_TOKENS = 160
"""Of a row; attention over a row costs its square, and on a CPU longer rows of a small model lose what they save."""

Picture = bytes | None


@dataclass(frozen=True)
class Piece:
    """Samples behind one prefix: `samples` are rows of the batch, `prefix` is the number of tokens that they share."""

    samples: tuple[int, ...]
    prefix: int
    length: int
    """Tokens: the prefix once, and the rest of each sample."""


@dataclass(frozen=True)
class Packed:
    """A batch laid out in rows. `inputs` is all that the model takes; without tokens per picture it holds no pixels."""

    inputs: dict[str, Tensor]
    places: Tensor
    """[samples, length of the batch]: where in the flattened rows a token of a sample stands; 0 at its padding."""


def pack(
    inputs: Mapping[str, Tensor], answer_starts: Sequence[int], pictures: Sequence[Picture], positions: Tensor
) -> Packed:
    """Lay a right-padded batch out in rows.

    `answer_starts` is the index of each sample's first answer token, `pictures` the picture of each sample, `positions`
    [parts, samples, length] what the model would number the tokens of each sample alone. Pictures have a grid each
    (`image_grid_thw`), and their tokens come before all text that differs; where that is not so, a sample stays alone.
    """
    lengths = inputs["attention_mask"].sum(dim=1).tolist()
    ids = [row[:length] for row, length in zip(inputs["input_ids"].tolist(), lengths, strict=True)]
    token_types = inputs.get("mm_token_type_ids")
    ends = [0] * len(ids) if token_types is None else _picture_ends(token_types)
    pieces = _pieces(ids, answer_starts, pictures, ends)
    rows = _rows(pieces)
    return _lay_out(inputs, lengths, pieces, rows, positions)


def beside_each_other(samples: Mapping[str, TrainingSample]) -> list[str]:
    """Sample keys in the order in which batches share most: those of one picture together, short ones first."""
    return sorted(
        samples, key=lambda key: (samples[key].modality, samples[key].image or b"", len(samples[key].prompt), key)
    )


def _picture_ends(token_types: Tensor) -> list[int]:
    """How many tokens of each sample there are up to its last picture token."""
    places = torch.arange(1, token_types.shape[1] + 1, device=token_types.device)
    ends: list[int] = (token_types.ne(0) * places).amax(dim=1).tolist()
    return ends


def _pieces(
    ids: Sequence[list[int]],
    answer_starts: Sequence[int],
    pictures: Sequence[Picture],
    picture_ends: Sequence[int],
) -> list[Piece]:
    """Samples of one picture in order of appearance, cut where a piece would be longer than a row."""
    by_picture: dict[Picture, list[int]] = {}
    for sample, picture in enumerate(pictures):
        by_picture.setdefault(picture, []).append(sample)
    pieces: list[Piece] = []
    for members in by_picture.values():
        most = min(answer_starts[sample] for sample in members)
        prefix = min(most, _common([ids[sample] for sample in members]))
        if prefix < max(picture_ends[sample] for sample in members):  # the picture is not in what they share
            pieces += [Piece((sample,), len(ids[sample]), len(ids[sample])) for sample in members]
            continue
        held: list[int] = []
        length = prefix
        for sample in members:
            rest = len(ids[sample]) - prefix
            if held and length + rest > MOST_TOKENS:
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


def _rows(pieces: Sequence[Piece]) -> list[list[int]]:
    """Indices of the pieces in each row: longest first, each into the first row that has room."""
    width = max(piece.length for piece in pieces)
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
    positions: Tensor,
) -> Packed:
    batch, long = inputs["input_ids"].shape
    width = max(sum(pieces[index].length for index in row) for row in rows)
    sources: list[int] = []  # which token of the batch, flattened, stands at each place of the rows
    homes: list[int] = []  # at which place
    segments: list[int] = []  # 0 padding, 1 prefix, 2 and on: rest of a sample
    owners: list[int] = []  # piece of the token, counted from 1
    places = [[0] * long for _ in range(batch)]
    shown: list[int] = []  # the sample whose picture a piece shows, in the order of the rows
    for row, held in enumerate(rows):
        start = row * width
        for index in held:
            piece = pieces[index]
            first = piece.samples[0]
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
    count = len(rows) * width

    def spread(values: Tensor) -> Tensor:
        """[tokens] to [rows, width], 0 at padding."""
        return values.new_zeros(count).index_copy(0, home, values).reshape(len(rows), width)

    packed = {
        name: spread(inputs[name].reshape(-1)[source]) for name in ("input_ids", "mm_token_type_ids") if name in inputs
    }
    parts = positions.reshape(positions.shape[0], -1)[:, source]
    packed["position_ids"] = torch.stack([spread(part) for part in parts])
    seen = spread(torch.tensor(segments, device=device))
    owner = spread(torch.tensor(owners, device=device))
    packed["attention_mask"] = _visible(seen, owner)
    packed |= _pictures_of(inputs, shown)
    return Packed(packed, torch.tensor(places, device=device))


def _visible(segments: Tensor, owners: Tensor) -> Tensor:
    """[rows, 1, width, width], bool: a token sees the prefix of its piece and its own sample, up to itself."""
    width = segments.shape[1]
    same_piece = owners.unsqueeze(2) == owners.unsqueeze(1)
    own = (segments.unsqueeze(2) == segments.unsqueeze(1)) | segments.eq(1).unsqueeze(1)
    causal = torch.ones(width, width, dtype=torch.bool, device=segments.device).tril()
    return (same_piece & own & causal).unsqueeze(1)


def _pictures_of(inputs: Mapping[str, Tensor], shown: Sequence[int]) -> dict[str, Tensor]:
    """Pixels and grids of the samples in `shown` that have a picture, in that order."""
    if "image_grid_thw" not in inputs:
        return {}
    grids = inputs["image_grid_thw"]
    token_types = inputs["mm_token_type_ids"].ne(0).any(dim=1).tolist()
    which = list(accumulate(token_types, initial=0))  # sample -> number of pictures before it
    ends = [0, *grids.prod(dim=1).cumsum(dim=0).tolist()]
    wanted = [which[sample] for sample in shown if token_types[sample]]
    if not wanted:
        return {}
    return {
        "pixel_values": torch.cat([inputs["pixel_values"][ends[each] : ends[each + 1]] for each in wanted]),
        "image_grid_thw": grids[wanted],
    }

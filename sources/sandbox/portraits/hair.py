"""Hair and hats of the drawn portraits: what lies behind the head, and what lies on it."""

from collections.abc import Mapping, Sequence
from math import pi, sin
from random import Random

from sources.sandbox.portraits.faces import Face, HairStyle, blend
from sources.sandbox.portraits.features import lit, shaded
from sources.sandbox.portraits.pen import Pen, Point, head_arc, mirrored, smooth

Hairline = Sequence[Point]

ROUND_LINE: Hairline = (
    (0.97, -0.1),
    (0.88, -0.42),
    (0.5, -0.6),
    (0, -0.65),
    (-0.5, -0.6),
    (-0.88, -0.42),
    (-0.97, -0.1),
)
HIGH_LINE: Hairline = (
    (0.97, -0.1),
    (0.93, -0.45),
    (0.62, -0.74),
    (0, -0.8),
    (-0.62, -0.74),
    (-0.93, -0.45),
    (-0.97, -0.1),
)
PART_LINE: Hairline = (
    (0.97, -0.05),
    (0.94, -0.5),
    (0.45, -0.78),
    (-0.1, -0.66),
    (-0.62, -0.5),
    (-0.9, -0.28),
    (-0.99, -0.02),
)
SWEPT_LINE: Hairline = (
    (0.99, 0.1),
    (0.9, -0.2),
    (0.55, -0.34),
    (0.1, -0.44),
    (-0.35, -0.62),
    (-0.8, -0.6),
    (-0.97, -0.05),
)
FRINGE_LINE: Hairline = (
    (1.0, 0.15),
    (0.93, -0.2),
    (0.6, -0.34),
    (0, -0.37),
    (-0.6, -0.34),
    (-0.93, -0.2),
    (-1.0, 0.15),
)
CURTAIN_LINE: Hairline = (
    (1.02, 0.42),
    (0.95, 0.0),
    (0.72, -0.4),
    (0.08, -0.86),
    (-0.72, -0.4),
    (-0.95, 0.0),
    (-1.02, 0.42),
)

CAPS: Mapping[HairStyle, tuple[float, float, Hairline]] = {
    "crop": (1.06, 1.12, ROUND_LINE),
    "side_part": (1.08, 1.17, PART_LINE),
    "quiff": (1.04, 1.06, HIGH_LINE),
    "buzz": (1.02, 1.03, ROUND_LINE),
    "tousled": (1.08, 1.12, ROUND_LINE),
    "long_men": (1.1, 1.13, CURTAIN_LINE),
    "long": (1.1, 1.14, CURTAIN_LINE),
    "bob": (1.14, 1.15, SWEPT_LINE),
    "fringe": (1.12, 1.15, FRINGE_LINE),
    "bun": (1.04, 1.09, HIGH_LINE),
    "curls": (1.1, 1.12, ROUND_LINE),
    "afro": (1.1, 1.16, HIGH_LINE),
    "waves": (1.12, 1.16, PART_LINE),
    "braids": (1.07, 1.1, CURTAIN_LINE),
    "pixie": (1.08, 1.13, SWEPT_LINE),
    "ponytail": (1.05, 1.1, PART_LINE),
}
"""Width and height over the head's own, and the hairline in halves of the head, from right to left."""


def _scaled(face: Face, points: Sequence[Point]) -> list[Point]:
    return [(x * face.width, y * face.height) for x, y in points]


def hairline(face: Face) -> list[Point]:
    """The hairline's points, from left to right; empty for the bald."""
    return _scaled(face, CAPS[face.style][2])[::-1] if face.style in CAPS else []


def _puffs(pen: Pen, face: Face, *, start: float, end: float, reach: float, size: float, rough: float) -> None:
    """A wreath of curls along the head's outline, in degrees."""
    rng = Random(f"{face.key}:curls")
    arc = head_arc(face, start, end, wide=reach, high=reach, step=11)
    for x, y in arc:
        radius = size * rng.uniform(1 - rough, 1 + rough)
        pen.oval(x, y, radius, radius, face.hair)


def _fall(pen: Pen, face: Face, *, wide: float, down: float, flare: float) -> None:
    """Hair that falls behind the shoulders; `down` in halves of the head below its middle."""
    right = [
        (0.2, -1.08),
        (0.85, -0.9),
        (wide, -0.3),
        (wide + flare * 0.4, 0.35),
        (wide + flare, down * 0.8),
        (wide * 0.82 + flare, down),
        (0.2, down * 1.02),
    ]
    outline = _scaled(face, right)
    pen.fill(smooth([*outline, *mirrored(outline)]), shaded(face.hair, 0.16))


def _waves(pen: Pen, face: Face) -> None:
    edge = [(1.12 + 0.13 * sin(k * pi * 0.9) + 0.05 * k, -0.6 + 0.27 * k) for k in range(9)]
    outline = _scaled(face, [(0.3, -1.1), (0.9, -0.95), *edge, (0.4, 1.72)])
    pen.fill(smooth([*outline, *mirrored(outline)]), shaded(face.hair, 0.14))


def back_hair(pen: Pen, face: Face) -> None:
    """What is behind head and neck."""
    dark = shaded(face.hair, 0.16)
    match face.style:
        case "long":
            _fall(pen, face, wide=1.16, down=1.95, flare=0.14)
        case "long_men":
            _fall(pen, face, wide=1.14, down=1.12, flare=0.1)
        case "bob":
            _fall(pen, face, wide=1.24, down=0.74, flare=0.08)
        case "fringe":
            _fall(pen, face, wide=1.18, down=1.2, flare=0.02)
        case "waves":
            _waves(pen, face)
        case "afro":
            pen.oval(0, -0.34 * face.height, face.width * 1.52, face.height * 1.18, dark)
            _puffs(pen, face, start=150, end=390, reach=1.34, size=34, rough=0.2)
        case "curls":
            _puffs(pen, face, start=128, end=412, reach=1.12, size=34, rough=0.25)
        case "bun":
            pen.oval(0, -1.28 * face.height, face.width * 0.5, face.height * 0.36, dark)
            pen.oval(-4, -1.31 * face.height, face.width * 0.42, face.height * 0.28, face.hair)
        case "ponytail":
            tail = [
                (0.5, -0.9),
                (1.2, -0.75),
                (1.6, -0.1),
                (1.5, 0.7),
                (1.72, 1.2),
                (1.25, 1.0),
                (1.12, 0.2),
                (0.9, -0.4),
            ]
            pen.fill(smooth(_scaled(face, tail)), dark)
        case _:
            return


def _cap(pen: Pen, face: Face) -> None:
    wide, high, line = CAPS[face.style]
    colour = blend(face.hair, face.skin, 0.3) if face.style == "buzz" else face.hair
    outer = head_arc(face, 178, 362, wide=wide, high=high, step=8)
    pen.fill([*outer, *smooth(_scaled(face, line), closed=False)], colour)
    if face.style != "buzz":
        shine = head_arc(face, 222, 292, wide=wide * 0.86, high=high * 0.9, step=10)
        inner = head_arc(face, 292, 222, wide=wide * 0.82, high=high * 0.84, step=10)
        pen.fill([*shine, *inner], lit(face.hair, 0.3), 120)


def _braid(pen: Pen, face: Face, side: int) -> None:
    for knot in range(7):
        x, y = side * face.width * (1.06 + 0.02 * knot), face.height * (0.32 + 0.22 * knot)
        pen.oval(x, y, 17 - knot * 0.8, 19, face.hair)
        pen.line([(x - 10 * side, y - 8), (x + 8 * side, y + 8)], shaded(face.hair, 0.35), 2.4)
    pen.oval(side * face.width * 1.18, face.height * 1.78, 10, 7, face.accent)


def front_hair(pen: Pen, face: Face) -> None:
    """What lies on the head, over the face."""
    if face.style in CAPS:
        _cap(pen, face)
    match face.style:
        case "quiff":
            top = [
                (-0.98, -0.42),
                (-1.02, -0.85),
                (-0.72, -1.2),
                (-0.1, -1.36),
                (0.55, -1.42),
                (1.0, -1.2),
                (1.04, -0.8),
                (0.96, -0.45),
                (0.6, -0.76),
                (0, -0.82),
                (-0.6, -0.74),
            ]
            pen.fill(smooth(_scaled(face, top)), face.hair)
            sweep = _scaled(face, [(-0.6, -0.95), (0.0, -1.14), (0.62, -1.14)])
            pen.line(smooth(sweep, closed=False), lit(face.hair, 0.22), 6)
        case "tousled":
            _puffs(pen, face, start=196, end=344, reach=1.06, size=25, rough=0.35)
        case "curls":
            _puffs(pen, face, start=188, end=352, reach=0.96, size=25, rough=0.2)
        case "horseshoe":
            for side in (-1, 1):
                patch = [(0.9, -0.52), (1.08, -0.4), (1.14, 0.0), (1.06, 0.24), (0.94, 0.12), (0.93, -0.2)]
                pen.fill(smooth([(side * x, y) for x, y in _scaled(face, patch)]), face.hair)
        case "braids":
            _braid(pen, face, -1)
            _braid(pen, face, 1)
        case "long" | "long_men" | "waves":
            strand = _scaled(face, [(-0.9, -0.6), (-1.06, -0.1), (-1.08, 0.5)])
            pen.line(smooth(strand, closed=False), lit(face.hair, 0.18), 5)
        case "side_part" | "ponytail":
            part = _scaled(face, [(0.45, -0.78), (0.52, -1.0), (0.44, -1.12)])
            pen.line(smooth(part, closed=False), shaded(face.hair, 0.3), 4)
        case "bald":
            pen.oval(
                -face.width * 0.3, -face.height * 0.72, face.width * 0.24, face.height * 0.1, lit(face.skin, 0.5), 130
            )
        case _:
            return


def hat(pen: Pen, face: Face) -> None:
    """A hat over the hair, or a band in it."""
    colour, wide, high = face.accent, face.width, face.height
    match face.hat:
        case "beret":
            top = [
                (-1.16, -0.66),
                (-1.12, -1.1),
                (-0.4, -1.42),
                (0.6, -1.38),
                (1.34, -1.02),
                (1.3, -0.72),
                (0.4, -0.74),
            ]
            pen.fill(smooth(_scaled(face, top)), colour)
            band = _scaled(face, [(-1.04, -0.6), (-0.4, -0.8), (0.4, -0.8), (1.04, -0.6)])
            pen.line(smooth(band, closed=False), shaded(colour, 0.4), 12)
            pen.line([(0.1 * wide, -1.4 * high), (0.14 * wide, -1.52 * high)], shaded(colour, 0.3), 7)
        case "beanie":
            crown = head_arc(face, 196, 344, wide=1.13, high=1.26, step=8)
            pen.fill([*crown, (wide, -0.42 * high), (-wide, -0.42 * high)], colour)
            cuff = [(-1.12, -0.66), (0, -0.78), (1.12, -0.66), (1.12, -0.4), (0, -0.5), (-1.12, -0.4)]
            pen.fill(_scaled(face, cuff), shaded(colour, 0.28))
            pen.oval(0, -1.3 * high, 24, 22, lit(colour, 0.3))
        case "band":
            outer = head_arc(face, 200, 340, wide=1.12, high=1.12, step=8)
            inner = head_arc(face, 340, 200, wide=1.1, high=0.92, step=8)
            pen.fill([*outer, *inner], colour)
        case _:
            return

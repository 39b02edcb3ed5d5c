"""Shoulders and clothing of the drawn portraits."""

from sources.sandbox.faces import Colour, Face, Garment, hls
from sources.sandbox.features import lit, shaded
from sources.sandbox.strokes import Pen, mirrored, smooth

LINEN: Colour = (246, 242, 232)


def cloth(face: Face, shift: float) -> Colour:
    """The person's clothing colour, lighter or darker by `shift` of lightness."""
    return hls(face.clothing_hue, face.clothing_light + shift, face.clothing_colour)


def shoulders(pen: Pen, face: Face, garment: Garment, colour: Colour, *, light: int) -> None:
    """The trunk with one garment; drawn over the neck's lower end."""
    base, reach = face.height, face.shoulders
    right = [
        (44, base + 42),
        (reach * 0.55, base + 68),
        (reach * 0.92, base + 104),
        (reach * 1.08, base + 190),
        (reach * 1.12, base + 420),
    ]
    open_neck = garment in ("vneck", "collar", "blazer")
    dip = base + (128 if open_neck else 74)
    middle = [(0.0, dip)] if open_neck else [(-24.0, dip - 8), (24.0, dip - 8)]
    top = [*mirrored(right), *middle, *right] if open_neck else [*mirrored(right), (0.0, dip), *right]
    pen.fill([*smooth(mirrored(right), closed=False), *middle, *smooth(right, closed=False)] if top else [], colour)
    side = -light
    fold = [
        (side * reach * 0.62, base + 210),
        (side * reach * 0.7, base + 420),
        (side * reach * 1.12, base + 420),
        (side * reach * 1.07, base + 190),
        (side * reach * 0.94, base + 112),
    ]
    pen.fill(smooth(fold), shaded(colour, 0.13))
    _details(pen, face, garment, colour)


def _details(pen: Pen, face: Face, garment: Garment, colour: Colour) -> None:
    base = face.height
    dark, pale = shaded(colour, 0.35), lit(colour, 0.3)
    match garment:
        case "crew":
            rim = smooth(
                [(-47, base + 42), (-26, base + 68), (0, base + 75), (26, base + 68), (47, base + 42)], closed=False
            )
            pen.line(rim, dark, 11)
        case "turtleneck":
            tube = [
                (-46, base + 16),
                (0, base + 28),
                (46, base + 16),
                (56, base + 74),
                (0, base + 92),
                (-56, base + 74),
            ]
            pen.fill(smooth(tube), pale)
            pen.line(smooth([(-50, base + 50), (0, base + 66), (50, base + 50)], closed=False), colour, 4)
        case "vneck":
            for side in (-1, 1):
                pen.line([(side * 46, base + 42), (0, base + 128)], dark, 10)
        case "collar":
            for side in (-1, 1):
                wing = [(side * 40, base + 30), (side * 66, base + 62), (side * 40, base + 118), (0, base + 96)]
                pen.fill(wing, pale)
                pen.line([(side * 66, base + 62), (side * 40, base + 118), (0, base + 96)], dark, 2.6)
            pen.line([(0, base + 100), (0, base + 400)], dark, 3)
            for button in range(4):
                pen.oval(0, base + 140 + 52 * button, 5, 5, LINEN)
        case "blazer":
            pen.fill(
                [
                    (-44, base + 40),
                    (0, base + 128),
                    (44, base + 40),
                    (70, base + 62),
                    (0, base + 300),
                    (-70, base + 62),
                ],
                LINEN,
            )
            pen.fill(
                [(-10, base + 110), (10, base + 110), (17, base + 250), (0, base + 286), (-17, base + 250)], face.accent
            )
            pen.fill([(-15, base + 96), (15, base + 96), (9, base + 120), (-9, base + 120)], shaded(face.accent, 0.25))
            for side in (-1, 1):
                lapel = [
                    (side * 46, base + 36),
                    (side * 92, base + 84),
                    (side * 98, base + 150),
                    (side * 74, base + 156),
                    (0, base + 310),
                ]
                pen.fill(lapel, dark)
        case "scarf":
            for drop, shade in ((30, 0.0), (58, 0.18)):
                loop = [
                    (-62, base + drop),
                    (0, base + drop + 22),
                    (62, base + drop),
                    (70, base + drop + 34),
                    (0, base + drop + 62),
                    (-70, base + drop + 34),
                ]
                pen.fill(smooth(loop), shaded(face.accent, shade))
            pen.fill([(18, base + 96), (58, base + 92), (66, base + 236), (28, base + 240)], shaded(face.accent, 0.1))

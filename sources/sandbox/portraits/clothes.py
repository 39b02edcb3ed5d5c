"""Shoulders and clothing of the drawn portraits."""

from sources.sandbox.portraits.faces import Colour, Face, Garment, hls
from sources.sandbox.portraits.features import lit, shaded
from sources.sandbox.portraits.pen import Pen, Point, mirrored, smooth

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
    base, dark, pale = face.height, shaded(colour, 0.35), lit(colour, 0.3)
    match garment:
        case "crew":
            rim = [(-47, base + 42), (-26, base + 68), (0, base + 75), (26, base + 68), (47, base + 42)]
            pen.line(smooth(rim, closed=False), dark, 11)
        case "turtleneck":
            pen.fill(smooth(_loop(46, base + 16, base + 28, 56, base + 74, base + 92)), pale)
            pen.line(smooth([(-50, base + 50), (0, base + 66), (50, base + 50)], closed=False), colour, 4)
        case "vneck":
            for side in (-1, 1):
                pen.line([(side * 46, base + 42), (0, base + 128)], dark, 10)
        case "collar":
            _collar(pen, base, dark, pale)
        case "blazer":
            _blazer(pen, face, dark)
        case "scarf":
            for drop, shade in ((30, 0.0), (58, 0.18)):
                top, bottom = base + drop, base + drop + 34
                pen.fill(smooth(_loop(62, top, top + 22, 70, bottom, bottom + 28)), shaded(face.accent, shade))
            pen.fill([(18, base + 96), (58, base + 92), (66, base + 236), (28, base + 240)], shaded(face.accent, 0.1))


def _loop(half: float, top: float, top_dip: float, low_half: float, low: float, low_dip: float) -> list[Point]:
    """Cloth around a neck: upper edge from left to right, lower edge back, both hanging in the middle."""
    return [(-half, top), (0, top_dip), (half, top), (low_half, low), (0, low_dip), (-low_half, low)]


def _collar(pen: Pen, base: float, dark: Colour, pale: Colour) -> None:
    for side in (-1, 1):
        edge = [(side * 66, base + 62), (side * 40, base + 118), (0, base + 96)]
        pen.fill([(side * 40, base + 30), *edge], pale)
        pen.line(edge, dark, 2.6)
    pen.line([(0, base + 100), (0, base + 400)], dark, 3)
    for button in range(4):
        pen.oval(0, base + 140 + 52 * button, 5, 5, LINEN)


def _blazer(pen: Pen, face: Face, dark: Colour) -> None:
    """Shirt, tie and lapels."""
    base, tie = face.height, face.accent
    pen.fill(_loop(44, base + 40, base + 128, 70, base + 62, base + 300), LINEN)
    pen.fill([(-10, base + 110), (10, base + 110), (17, base + 250), (0, base + 286), (-17, base + 250)], tie)
    pen.fill([(-15, base + 96), (15, base + 96), (9, base + 120), (-9, base + 120)], shaded(tie, 0.25))
    for side in (-1, 1):
        outer = [(side * 46, base + 36), (side * 92, base + 84), (side * 98, base + 150), (side * 74, base + 156)]
        pen.fill([*outer, (0, base + 310)], dark)

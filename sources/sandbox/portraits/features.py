"""Faces drawn on a placed pen: head, eyes, brows, nose, mouth, beard, glasses and jewellery."""

from dataclasses import dataclass

from sources.sandbox.portraits.faces import Colour, Face, blend
from sources.sandbox.portraits.pen import Pen, Point, head_arc, head_point, oval_points, smooth

DARK: Colour = (44, 32, 40)
WHITE: Colour = (252, 250, 246)


@dataclass(frozen=True, slots=True)
class Expression:
    """How the face looks in one picture."""

    turn: float
    """-1 to 1: how far the features shift to one side."""
    smile: float
    """0 to 1."""
    mouth_open: bool
    brow_lift: float
    light: int
    """Side from which the light falls: -1 left, 1 right."""
    gaze: float


def shaded(colour: Colour, share: float = 0.2) -> Colour:
    """A warm shadow of a colour."""
    return blend(colour, (96, 34, 58), share)


def lit(colour: Colour, share: float = 0.25) -> Colour:
    """A highlight of a colour."""
    return blend(colour, (255, 246, 226), share)


def neck(pen: Pen, face: Face, skin: Colour) -> None:
    """Neck with the chin's shadow on it."""
    half, top, bottom = face.width * 0.44, face.height * 0.45, face.height + 150
    outline = [
        (-half, top),
        (-half * 0.96, face.height + 20),
        (-half * 1.35, bottom),
        (half * 1.35, bottom),
        (half * 0.96, face.height + 20),
        (half, top),
    ]
    pen.fill(outline, skin)
    shadow = [
        (-half, face.height * 0.7),
        (-half * 0.97, face.height + 10),
        (0, face.height + 42),
        (half * 0.97, face.height + 10),
        (half, face.height * 0.7),
    ]
    pen.fill(smooth(shadow), shaded(skin, 0.26))


def head(pen: Pen, face: Face, look: Expression) -> None:
    """Ears and head with a shaded side, cheeks and freckles."""
    for side in (-1, 1):
        x = side * (face.width * 0.99 - 3 * look.turn * side)
        pen.oval(x, 4, 17, 25, face.skin if side == look.light else shaded(face.skin, 0.1))
        pen.oval(x, 6, 9, 15, shaded(face.skin, 0.22))
    pen.fill(head_arc(face, 0, 360, step=6), face.skin)
    side = -look.light
    rim = head_arc(face, -72, 88, step=8)
    inner = [(x * 0.8 - 4, y * 0.97) for x, y in reversed(head_arc(face, -60, 80, step=10))]
    crescent = [(side * x, y) for x, y in [*rim, *inner]]
    pen.fill(crescent, shaded(face.skin, 0.13))
    shift = 11 * look.turn
    for cheek in (-1, 1):
        pen.oval(cheek * face.width * 0.56 + shift, 40, 21, 14, blend(face.skin, (232, 92, 92), 0.5), 70)
    if face.freckles:
        for x, y in (
            (-46, 30),
            (-36, 36),
            (-54, 38),
            (-42, 44),
            (46, 30),
            (36, 36),
            (54, 38),
            (42, 44),
            (-8, 28),
            (9, 27),
        ):
            pen.oval(x + shift, y, 2.4, 2.4, shaded(face.skin, 0.42))


def eyes(pen: Pen, face: Face, look: Expression) -> None:
    """Eyes with lids, and brows in the hair's colour."""
    shift = 12 * look.turn
    brow_colour = blend(face.hair, DARK, 0.35) if sum(face.hair) < 560 else shaded(face.hair, 0.3)
    for side in (-1, 1):
        x, size = side * face.eye_gap + shift, face.eye_size
        across, down = 16.5 * size, 11.5 * size
        pen.oval(x, -4, across, down, WHITE)
        gaze = look.gaze * 4
        pen.oval(x + gaze, -4, 9.6 * size, 10.2 * size, face.iris)
        pen.oval(x + gaze, -4, 5.2 * size, 5.6 * size, (24, 18, 24))
        pen.oval(x + gaze + 3.2, -8, 2.6 * size, 2.6 * size, WHITE)
        lid = smooth(
            [
                (x - across - 1, -3),
                (x - across * 0.45, -14 * size),
                (x + across * 0.45, -14 * size),
                (x + across + 1, -3),
            ],
            closed=False,
        )
        pen.line(lid, DARK, 4.4)
        if face.lips[0] - face.skin[0] < -30 or face.brow < 8:
            pen.line([(x + side * across, -5), (x + side * (across + 6), -10)], DARK, 3.2)
        top = -31 - look.brow_lift * 6
        slope = face.brow_slope
        brow = smooth([(x - side * 18, top + slope), (x + side * 2, top - 5), (x + side * 22, top + 3)], closed=False)
        pen.line(brow, brow_colour, face.brow)
        if face.wrinkles:
            pen.line(smooth([(x - 11, 17), (x, 20), (x + 11, 17)], closed=False), shaded(face.skin, 0.24), 2.4)


def nose(pen: Pen, face: Face, look: Expression) -> None:
    """A nose in two tones: shaded side and lit tip."""
    shift, size, side = 17 * look.turn, face.nose, -look.light
    wing = 12 * size
    shape: list[Point] = [
        (shift + side * 3, -6),
        (shift + side * (5 + wing * 0.45), 22),
        (shift + side * wing, 32 * size + 4),
        (shift + side * wing * 0.5, 38 * size + 3),
        (shift - side * wing * 0.9, 37 * size + 3),
        (shift, 30 * size),
    ]
    pen.fill(smooth(shape), shaded(face.skin, 0.2))
    pen.oval(shift - side * 1.5, 29 * size, wing * 0.62, 8 * size, lit(face.skin, 0.22))


def mouth(pen: Pen, face: Face, look: Expression) -> None:
    """A closed or an open smile."""
    shift, half, y = 14 * look.turn, face.mouth * (0.9 + 0.25 * look.smile), face.height * 0.53
    bend = 5 + 11 * look.smile
    left, right = (shift - half, y - bend * 0.45), (shift + half, y - bend * 0.45)
    if look.mouth_open:
        low = smooth(
            [
                left,
                (shift - half * 0.5, y + bend * 0.55),
                (shift, y + bend * 1.05),
                (shift + half * 0.5, y + bend * 0.55),
                right,
            ],
            closed=False,
        )
        top = smooth([right, (shift, y - bend * 0.1), left], closed=False)
        pen.fill([*low, *top], (122, 40, 52))
        teeth = smooth(
            [(shift + half * 0.8, y - bend * 0.24), (shift, y + bend * 0.42), (shift - half * 0.8, y - bend * 0.24)],
            closed=False,
        )
        pen.fill([*teeth, (shift, y - bend * 0.02)], WHITE)
        pen.line(low, face.lips, 5)
        pen.line(top, face.lips, 4)
        return
    upper = smooth(
        [left, (shift - half * 0.35, y - 3), (shift, y + 1), (shift + half * 0.35, y - 3), right], closed=False
    )
    lower = smooth(
        [
            right,
            (shift + half * 0.45, y + bend * 0.7 + 5),
            (shift, y + bend * 0.75 + 9),
            (shift - half * 0.45, y + bend * 0.7 + 5),
            left,
        ],
        closed=False,
    )
    pen.fill([*upper, *lower], face.lips)
    middle = smooth(
        [
            left,
            (shift - half * 0.4, y + bend * 0.4),
            (shift, y + bend * 0.55),
            (shift + half * 0.4, y + bend * 0.4),
            right,
        ],
        closed=False,
    )
    pen.line(middle, shaded(face.lips, 0.55), 2.6)


def beard(pen: Pen, face: Face, look: Expression) -> None:
    """The beard, under the mouth's drawing."""
    if face.beard == "none":
        return
    shift, y = 14 * look.turn, face.height * 0.53
    colour = blend(face.hair, DARK, 0.12)
    if face.beard in ("full", "stubble"):
        jaw = head_arc(face, 8, 172, wide=1.02, high=1.05 if face.beard == "full" else 1.0, step=8)
        inside = [
            (-face.width * 0.78, 34),
            (-face.width * 0.5, y - 22),
            (shift, y - 30),
            (face.width * 0.5, y - 22),
            (face.width * 0.78, 34),
        ]
        pen.fill([*jaw, *smooth(inside, closed=False)], colour, 255 if face.beard == "full" else 74)
    if face.beard == "goatee":
        chin = [
            (shift - 30, y - 12),
            (shift - 32, y + 26),
            (shift * 0.6 - 20, face.height + 6),
            (shift * 0.6 + 20, face.height + 6),
            (shift + 32, y + 26),
            (shift + 30, y - 12),
            (shift, y - 22),
        ]
        pen.fill(smooth(chin), colour)
    if face.beard == "moustache":
        wings = [(shift, y - 22), (shift + 22, y - 24), (shift + 46, y - 6), (shift + 24, y - 6), (shift, y - 10)]
        pen.fill(smooth([*wings, *[(2 * shift - x, high) for x, high in reversed(wings[1:-1])]]), colour)


def glasses(pen: Pen, face: Face, look: Expression) -> None:
    """Glasses with a slight glare."""
    if face.glasses == "none":
        return
    shift, gap = 12 * look.turn, face.eye_gap
    for side in (-1, 1):
        x = side * (gap + 1) + shift
        round_rim = oval_points(x, -2, 30, 28)
        square_rim = smooth([(x - 31, -22), (x, -25), (x + 31, -22), (x + 29, 18), (x, 24), (x - 29, 18)])
        rim = square_rim if face.glasses in ("square", "half") else round_rim
        pen.fill(rim, (255, 255, 255), 46)
        if face.glasses == "half":
            pen.line([(x - 30, -21), (x, -24), (x + 30, -21)], face.frame, 7)
        else:
            pen.line([*rim, rim[0], rim[1]], face.frame, 5.2)
        pen.line([(x + side * 30, -8), (side * face.width * 0.98, -12)], face.frame, 5)
    pen.line(smooth([(shift - gap + 29, -8), (shift, -13), (shift + gap - 29, -8)], closed=False), face.frame, 5)


def earrings(pen: Pen, face: Face) -> None:
    """Jewellery at both ears."""
    gold = (226, 178, 74) if sum(face.accent) % 2 else face.accent
    for side in (-1, 1):
        x, y = side * face.width * 1.01, 31
        match face.earrings:
            case "studs":
                pen.oval(x, y, 5.5, 5.5, gold)
            case "hoops":
                ring = oval_points(x, y + 15, 14, 17)
                pen.line([*ring, ring[0], ring[1]], gold, 4.6)
            case "drops":
                pen.line([(x, y), (x, y + 16)], gold, 3)
                pen.oval(x, y + 24, 7, 10, gold)
            case _:
                return


def hairline_shadow(pen: Pen, face: Face, points: list[Point]) -> None:
    """The shadow that hair throws on the forehead: the hairline moved down a little, under the hair."""
    lowered = [(x * 0.97, y + 8) for x, y in points]
    outline = [head_point(face, 196), *smooth(lowered, closed=False), head_point(face, 344)]
    pen.fill(outline, shaded(face.skin, 0.14))

"""Drawn identities: everything about a face that stays the same from picture to picture."""

from colorsys import hls_to_rgb
from dataclasses import dataclass
from random import Random
from typing import Literal

Colour = tuple[int, int, int]
HairStyle = Literal[
    "crop", "side_part", "quiff", "buzz", "bald", "horseshoe", "tousled", "long_men",
    "long", "bob", "fringe", "bun", "curls", "afro", "waves", "braids", "pixie", "ponytail",
]  # fmt: skip
Glasses = Literal["none", "round", "square", "half"]
Beard = Literal["none", "stubble", "full", "goatee", "moustache"]
Hat = Literal["none", "beret", "beanie", "band"]
Earrings = Literal["none", "studs", "hoops", "drops"]
Garment = Literal["crew", "collar", "blazer", "turtleneck", "vneck", "scarf"]

SKINS: tuple[Colour, ...] = (
    (250, 219, 196), (241, 196, 164), (226, 172, 132), (203, 144, 103), (171, 113, 76), (136, 86, 58), (112, 71, 51),
    (245, 205, 180), (215, 158, 122), (118, 74, 50),
)  # fmt: skip
HAIR: tuple[Colour, ...] = (
    (38, 32, 38), (74, 48, 36), (118, 72, 42), (160, 84, 44), (202, 98, 48), (222, 178, 104), (240, 216, 166),
    (52, 42, 66), (34, 74, 84), (132, 52, 68), (96, 58, 44), (184, 138, 78),
)  # fmt: skip
GREYS: tuple[Colour, ...] = ((176, 178, 184), (222, 222, 224), (128, 130, 138))
IRISES: tuple[Colour, ...] = ((66, 44, 34), (58, 92, 120), (72, 104, 70), (104, 72, 40), (84, 88, 96))
HUES = (0.015, 0.05, 0.085, 0.115, 0.14, 0.2, 0.34, 0.42, 0.475, 0.51, 0.55, 0.585, 0.625, 0.67, 0.74, 0.82, 0.9, 0.96)
"""Hues between which no two neighbours look alike; evenly spaced ones would be half green and violet."""
MEN_STYLES: tuple[HairStyle, ...] = (
    "crop", "quiff", "side_part", "bald", "tousled", "afro", "horseshoe", "long_men", "buzz", "curls",
)  # fmt: skip
WOMEN_STYLES: tuple[HairStyle, ...] = (
    "long", "bob", "bun", "curls", "fringe", "waves", "pixie", "afro", "braids", "ponytail",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Face:
    """One identity. Lengths are in units of about 1/100 of half the head's width; hues are in [0, 1)."""

    key: str
    skin: Colour
    hair: Colour
    style: HairStyle
    iris: Colour
    width: float
    """Half the head's width, 88-108."""
    height: float
    """Half the head's height, 116-136."""
    jaw: float
    """How much the face narrows towards the chin, 0.12-0.38."""
    squareness: float
    """Exponent of the outline: 2 is an ellipse, larger is squarer."""
    eye_gap: float
    eye_size: float
    brow: float
    """Thickness of the brows."""
    brow_slope: float
    nose: float
    mouth: float
    lips: Colour
    shoulders: float
    glasses: Glasses
    frame: Colour
    beard: Beard
    hat: Hat
    earrings: Earrings
    freckles: bool
    wrinkles: bool
    garments: tuple[Garment, Garment]
    clothing_hue: float
    clothing_light: float
    clothing_colour: float
    background_hue: float
    background_light: float
    background_colour: float
    accent: Colour
    variations: tuple[tuple[int, int], ...] = ()
    """Views drawn otherwise than at first thought, because that looked too much like another picture: view, attempt."""


def hls(hue: float, light: float, saturation: float) -> Colour:
    """RGB of hue, lightness and saturation, each in [0, 1] (the hue wraps)."""
    red, green, blue = hls_to_rgb(hue % 1.0, min(max(light, 0.0), 1.0), min(max(saturation, 0.0), 1.0))
    return round(255 * red), round(255 * green), round(255 * blue)


def hue_at(place: float) -> float:
    """The hue at a place of the wheel of HUES, in [0, 1) (wraps)."""
    whole, part = divmod((place % 1.0) * len(HUES), 1.0)
    start, end = HUES[int(whole)], HUES[(int(whole) + 1) % len(HUES)]
    return (start + part * ((end - start) % 1.0)) % 1.0


def calm(hue: float, saturation: float) -> float:
    """A saturation at which greens and violets are not louder than the other hues."""
    return saturation * (0.62 if 0.19 < hue < 0.44 else 0.78 if 0.68 < hue < 0.88 else 1.0)


def blend(left: Colour, right: Colour, share: float) -> Colour:
    """The colour `share` of the way from left to right."""
    return (
        round(left[0] + (right[0] - left[0]) * share),
        round(left[1] + (right[1] - left[1]) * share),
        round(left[2] + (right[2] - left[2]) * share),
    )


def _shuffled_place(seed: int, trait: str, index: int, count: int) -> int:
    """Deals `count` values over the indices so that `count` neighbours all differ."""
    order = list(range(count))
    Random(f"{seed}:{trait}:{index // count}").shuffle(order)
    return order[index % count]


def _adornments(rng: Random, *, female: bool, style: HairStyle) -> tuple[Beard, Hat, Earrings]:
    beards: tuple[Beard, ...] = ("none", "stubble", "full", "goatee", "moustache")
    beard = "none" if female else rng.choices(beards, (46, 16, 20, 9, 9))[0]
    hats: tuple[Hat, ...] = ("none", "beret", "beanie", "band")
    wearable = style not in ("afro", "bun", "quiff", "curls")
    hat = rng.choices(hats, (78, 8, 9, 5 if female else 0))[0] if wearable else "none"
    jewels: tuple[Earrings, ...] = ("none", "studs", "hoops", "drops")
    earrings = rng.choices(jewels, (30, 25, 23, 22) if female else (92, 8, 0, 0))[0]
    return beard, hat, earrings


def _hair_colour(rng: Random, dealt: Colour, skin: Colour, *, elderly: bool) -> Colour:
    """Grey for most of the elderly; dark skin goes with darker hair."""
    if elderly and rng.random() < 0.6:
        return rng.choice(GREYS)
    return HAIR[rng.randrange(0, 4)] if sum(skin) < 380 and sum(dealt) > 480 else dealt


def make_face(seed: int, index: int, *, female: bool, elderly: bool) -> Face:
    """The identity of the index-th person: neighbours differ in skin, hair, clothing and background."""
    rng = Random(f"{seed}:face:{index}")
    styles = WOMEN_STYLES if female else MEN_STYLES
    style = styles[_shuffled_place(seed, f"style{female}", index // 2, len(styles))]
    skin = SKINS[_shuffled_place(seed, "skin", index, len(SKINS))]
    hair = _hair_colour(rng, HAIR[_shuffled_place(seed, "hair", index, len(HAIR))], skin, elderly=elderly)
    beard, hat, earrings = _adornments(rng, female=female, style=style)
    glasses: tuple[Glasses, ...] = ("none", "round", "square", "half")
    garments: list[Garment] = ["crew", "collar", "blazer", "turtleneck", "vneck", "scarf"]
    rng.shuffle(garments)
    slots = 24
    hue = (_shuffled_place(seed, "hue", index, slots) + rng.uniform(-0.3, 0.3)) / slots
    turn = rng.choice((0.12, 0.42, 0.5, 0.58, 0.88))
    clothing, background, accent = hue_at(hue), hue_at(hue + turn), hue_at(hue + 0.5 + rng.uniform(-0.12, 0.12))
    blush = (196, 84, 88) if sum(skin) > 480 else (190, 74, 84)
    return Face(
        key=f"{seed}:{index}",
        skin=skin,
        hair=hair,
        style=style,
        iris=rng.choice(IRISES),
        width=rng.uniform(88, 104) - (4 if female else 0),
        height=rng.uniform(117, 134),
        jaw=rng.uniform(0.2, 0.38) if female else rng.uniform(0.1, 0.3),
        squareness=rng.uniform(2.05, 2.35) if female else rng.uniform(2.15, 2.75),
        eye_gap=rng.uniform(36, 44),
        eye_size=rng.uniform(0.9, 1.15) + (0.06 if female else 0),
        brow=rng.uniform(5, 8) if female else rng.uniform(7, 12),
        brow_slope=rng.uniform(-4, 5),
        nose=rng.uniform(0.8, 1.25),
        mouth=rng.uniform(26, 38),
        lips=blend(skin, blush, rng.uniform(0.5, 0.9) if female else rng.uniform(0.3, 0.45)),
        shoulders=rng.uniform(165, 195) if female else rng.uniform(190, 225),
        glasses=rng.choices(glasses, (66, 14, 13, 7))[0],
        frame=rng.choice(((44, 40, 48), (128, 78, 46), (176, 52, 62), (52, 74, 116), (196, 158, 84))),
        beard=beard,
        hat=hat,
        earrings=earrings,
        freckles=sum(skin) > 540 and rng.random() < 0.3,
        wrinkles=elderly,
        garments=(garments[0], garments[1]),
        clothing_hue=clothing,
        clothing_light=rng.choice((rng.uniform(0.26, 0.48), rng.uniform(0.26, 0.48), rng.uniform(0.62, 0.78))),
        clothing_colour=calm(clothing, rng.uniform(0.38, 0.62)),
        background_hue=background,
        background_light=rng.uniform(0.68, 0.8) if rng.random() < 0.7 else rng.uniform(0.42, 0.52),
        background_colour=calm(background, rng.uniform(0.44, 0.58)),
        accent=hls(accent, 0.56, calm(accent, 0.66)),
    )

"""Backgrounds of the drawn portraits: large calm shapes in the person's own hue, arranged anew for each picture."""

from collections.abc import Callable, Mapping
from random import Random

from PIL import Image, ImageDraw

from sources.sandbox.portraits.faces import Colour, Face, hls

Draw = ImageDraw.ImageDraw
Shades = Callable[[float], Colour]
"""Gives the background's colour, lighter or darker by a difference of lightness."""


def _sun(draw: Draw, wide: int, high: int, rng: Random, shade: Shades) -> None:
    x, y = rng.uniform(0.1, 0.9) * wide, rng.uniform(0.1, 0.55) * high
    radius = rng.uniform(0.28, 0.55) * wide
    light = rng.choice((-0.2, 0.14, 0.18))
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shade(light))
    if rng.random() < 0.5:
        radius *= 0.68
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shade(light * 0.4))


def _slab(draw: Draw, wide: int, high: int, rng: Random, shade: Shades) -> None:
    start, end = rng.uniform(-0.3, 1.2) * wide, rng.uniform(-0.3, 1.2) * wide
    thick = rng.uniform(0.25, 0.6) * wide
    draw.polygon(
        ((start, 0), (start + thick, 0), (end + thick, high), (end, high)), fill=shade(rng.choice((-0.2, -0.14, 0.15)))
    )


def _hills(draw: Draw, wide: int, high: int, rng: Random, shade: Shades) -> None:
    for layer in range(2):
        x, top = rng.uniform(-0.1, 1.1) * wide, rng.uniform(0.3, 0.62) * high + layer * 0.12 * high
        reach = rng.uniform(0.5, 0.9) * wide
        draw.ellipse((x - reach, top, x + reach, top + 2 * high), fill=shade(-0.12 - 0.1 * layer))


def _panels(draw: Draw, wide: int, high: int, rng: Random, shade: Shades) -> None:
    edges = sorted(rng.uniform(0.1, 0.9) for _ in range(rng.randrange(1, 4)))
    lights = [0.0, rng.choice((-0.2, 0.15)), rng.choice((0.06, -0.09)), rng.choice((-0.18, 0.13))]
    for left, right, light in zip([0.0, *edges], [*edges, 1.0], lights, strict=False):
        draw.rectangle((left * wide, 0, right * wide, high), fill=shade(light))


def _arch(draw: Draw, wide: int, high: int, rng: Random, shade: Shades) -> None:
    x, half, top = rng.uniform(0.2, 0.8) * wide, rng.uniform(0.22, 0.4) * wide, rng.uniform(0.02, 0.3) * high
    for scale, light in ((1.0, rng.choice((-0.2, 0.15))), (0.72, rng.choice((0.08, -0.08)))):
        reach, start = half * scale, top + half * (1 - scale)
        draw.ellipse((x - reach, start, x + reach, start + 2 * reach), fill=shade(light))
        draw.rectangle((x - reach, start + reach, x + reach, high), fill=shade(light))


def _horizon(draw: Draw, wide: int, high: int, rng: Random, shade: Shades) -> None:
    left, right = rng.uniform(0.25, 0.75) * high, rng.uniform(0.25, 0.75) * high
    draw.polygon(((0, left), (wide, right), (wide, high), (0, high)), fill=shade(rng.choice((-0.22, -0.16, 0.16))))
    if rng.random() < 0.6:
        x, radius = rng.uniform(0.1, 0.9) * wide, rng.uniform(0.1, 0.2) * wide
        y = rng.uniform(0.08, 0.3) * high
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shade(0.16))


def _corner(draw: Draw, wide: int, high: int, rng: Random, shade: Shades) -> None:
    x, y = rng.choice((0, wide)), rng.choice((0, 0, high))
    radius, light = rng.uniform(0.75, 1.05) * wide, rng.choice((-0.18, 0.15))
    for scale in (1.0, 0.74, 0.48):
        reach = radius * scale
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=shade(light * scale))


def _window(draw: Draw, wide: int, high: int, rng: Random, shade: Shades) -> None:
    draw.rectangle((0, 0, wide, high), fill=shade(-0.14))
    left, top = rng.uniform(-0.1, 0.55) * wide, rng.uniform(-0.05, 0.2) * high
    pane_wide, pane_high = rng.uniform(0.2, 0.3) * wide, rng.uniform(0.2, 0.3) * high
    for column in range(2):
        for row in range(2):
            x, y = left + column * pane_wide * 1.1, top + row * pane_high * 1.08
            draw.rectangle((x, y, x + pane_wide, y + pane_high), fill=shade(0.14 - 0.05 * row))


BACKDROPS: Mapping[str, Callable[[Draw, int, int, Random, Shades], None]] = {
    "sun": _sun,
    "slab": _slab,
    "hills": _hills,
    "panels": _panels,
    "arch": _arch,
    "horizon": _horizon,
    "corner": _corner,
    "window": _window,
}


def backdrop(face: Face, rng: Random, *, first: str, size: tuple[int, int]) -> Image.Image:
    """A background: the named arrangement and a second one over it, on the face's hue (shifted slightly)."""
    wide, high = size
    hue = face.background_hue + rng.uniform(-0.018, 0.018)
    base = face.background_light + rng.uniform(-0.05, 0.03)

    def shade(light: float) -> Colour:
        return hls(hue - light * 0.12, base + light, face.background_colour)

    image = Image.new("RGB", size, shade(0.0))
    draw = ImageDraw.Draw(image)
    BACKDROPS[first](draw, wide, high, rng, shade)
    others = [name for name in sorted(BACKDROPS) if name not in (first, "window", "panels")]
    BACKDROPS[rng.choice(others)](draw, wide, high, rng, shade)
    return image

"""Portraits drawn by code: one recognisable identity, a new sitting (pose, light, expression, background) per view."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from PIL import Image

from sources.sandbox.portraits import clothes, features, hair
from sources.sandbox.portraits.backdrops import BACKDROPS, backdrop
from sources.sandbox.portraits.faces import Face, Garment
from sources.sandbox.portraits.features import Expression
from sources.sandbox.portraits.pen import Pen, Placement

WIDTH, HEIGHT = 512, 640
OVERSAMPLING = 2
"""Portraits are drawn at so many times their size and reduced, which smooths the edges."""
EXTRA_VIEWS = 1000
"""Extra renderings are views from this number on; pictures on Commons have smaller ones."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """What changes from picture to picture."""

    x: float
    y: float
    zoom: float
    tilt: float
    garment: Garment
    tone: float
    """Difference of the clothing's lightness."""
    look: Expression
    backdrop: str


def sitting(face: Face, view: int) -> Sitting:
    """The sitting of a view (from 1): neighbouring views differ in background, pose and light."""
    rng = Random(f"{face.key}:view:{view}:{attempt(face, view)}")
    order = sorted(BACKDROPS)
    Random(f"{face.key}:backdrops").shuffle(order)
    light = 1 if (view + (face.shoulders > 190)) % 2 else -1
    sides = (0, -1, 1, -1, 1, 0)
    lean = sides[view % len(sides)]
    return Sitting(
        x=WIDTH / 2 + 30 * lean + rng.uniform(-20, 20),
        y=282 + rng.uniform(-20, 24),
        zoom=rng.uniform(1.04, 1.3),
        tilt=-0.05 * lean + rng.uniform(-0.06, 0.06),
        garment=face.garments[view % 2],
        tone=rng.uniform(-0.05, 0.06),
        look=Expression(
            turn=max(-1.0, min(1.0, 0.55 * lean + rng.uniform(-0.4, 0.4))),
            smile=rng.uniform(0.15, 1.0),
            mouth_open=rng.random() < 0.4,
            brow_lift=rng.uniform(-0.6, 1.0),
            light=light,
            gaze=rng.uniform(-0.7, 0.7),
        ),
        backdrop=order[(view + 3 * attempt(face, view)) % len(order)],
    )


def attempt(face: Face, view: int) -> int:
    """Which drawing of a view counts: 0 unless `variations` says otherwise."""
    return dict(face.variations).get(view, 0)


def draw_portrait(face: Face, view: int) -> Image.Image:
    """The portrait of an identity in a view (from 1), 512 x 640 RGB; the same arguments give the same pixels."""
    return _draw(face, view, OVERSAMPLING).reduce(OVERSAMPLING)


def draw_sketch(face: Face, view: int) -> Image.Image:
    """The portrait at a quarter of its size, with rough edges: enough to compare pictures by perceptual hash."""
    return _draw(face, view, 0.25)


def extra_renderings(face: Face, n: int) -> Iterator[Image.Image]:
    """n further sittings, none of them a view that lies on Commons; used to train the embedded world's target."""
    for number in range(n):
        yield draw_portrait(face, EXTRA_VIEWS + number)


def _draw(face: Face, view: int, scale: float) -> Image.Image:
    """The portrait at a multiple of its final size."""
    seat = sitting(face, view)
    rng = Random(f"{face.key}:backdrop:{view}:{attempt(face, view)}")
    size = (round(WIDTH * scale), round(HEIGHT * scale))
    image = backdrop(face, rng, first=seat.backdrop, size=size)
    x, y, zoom = seat.x * scale, seat.y * scale, seat.zoom * scale
    upright = Pen(image, Placement(x, y, zoom))
    tilted = Pen(image, Placement(x, y, zoom, seat.tilt, face.height * 0.7))
    hair.back_hair(tilted, face)
    features.neck(upright, face, face.skin)
    clothes.shoulders(upright, face, seat.garment, clothes.cloth(face, seat.tone), light=seat.look.light)
    features.head(tilted, face, seat.look)
    line = hair.hairline(face)
    if line:
        features.hairline_shadow(tilted, face, line)
    features.beard(tilted, face, seat.look)
    features.mouth(tilted, face, seat.look)
    features.nose(tilted, face, seat.look)
    features.eyes(tilted, face, seat.look)
    hair.front_hair(tilted, face)
    hair.hat(tilted, face)
    features.glasses(tilted, face, seat.look)
    features.earrings(tilted, face)
    return image

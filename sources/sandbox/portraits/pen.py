"""A pen that draws smooth shapes in a head's own coordinates: origin between the eyes' line and nose, y downwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from PIL import Image, ImageDraw

from sources.sandbox.portraits.faces import Colour, Face

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a drawing's origin lies, how many pixels a unit is, and its tilt (radians) about a pivot."""

    x: float
    y: float
    zoom: float
    tilt: float = 0.0
    pivot: float = 0.0
    """Height of the point about which the drawing tilts, in units."""


class Pen:
    """Fills shapes on an image, through a placement. Colours may be translucent."""

    def __init__(self, image: Image.Image, placement: Placement) -> None:
        self._draw = ImageDraw.Draw(image, "RGBA")
        self._place = placement
        self._cos, self._sin = cos(placement.tilt), sin(placement.tilt)

    def _on_image(self, points: Sequence[Point]) -> list[Point]:
        place, scale = self._place, self._place.zoom
        left, top = place.x, place.y
        pivot = place.pivot
        return [
            (
                left + scale * (x * self._cos - (y - pivot) * self._sin),
                top + scale * (x * self._sin + (y - pivot) * self._cos + pivot),
            )
            for x, y in points
        ]

    def fill(self, points: Sequence[Point], colour: Colour, alpha: int = 255) -> None:
        """A polygon; pass it through `smooth` first for a rounded one."""
        self._draw.polygon(self._on_image(points), fill=(*colour, alpha))

    def oval(self, x: float, y: float, across: float, down: float, colour: Colour, alpha: int = 255) -> None:
        """An ellipse by its centre and half axes."""
        self.fill(oval_points(x, y, across, down), colour, alpha)

    def line(self, points: Sequence[Point], colour: Colour, width: float, alpha: int = 255) -> None:
        """A line of a width in units, with round ends."""
        placed = self._on_image(points)
        pixels = max(1, round(width * self._place.zoom))
        self._draw.line(placed, fill=(*colour, alpha), width=pixels, joint="curve")
        if alpha == 255:
            for x, y in (placed[0], placed[-1]):
                half = pixels / 2 - 0.5
                self._draw.ellipse((x - half, y - half, x + half, y + half), fill=(*colour, alpha))


OVAL_STEPS = 40
_CIRCLE = tuple((cos(2 * pi * step / OVAL_STEPS), sin(2 * pi * step / OVAL_STEPS)) for step in range(OVAL_STEPS))


def oval_points(x: float, y: float, across: float, down: float) -> list[Point]:
    """Points of an ellipse."""
    return [(x + across * right, y + down * low) for right, low in _CIRCLE]


def _weights(t: float) -> tuple[float, float, float, float]:
    """Shares of four neighbouring points in a Catmull-Rom curve, at t of the way from the second to the third."""
    return (
        0.5 * (-t + 2 * t * t - t**3),
        0.5 * (2 - 5 * t * t + 3 * t**3),
        0.5 * (t + 4 * t * t - 3 * t**3),
        0.5 * (t**3 - t * t),
    )


CURVE_STEPS = 6
"""Points drawn for each segment of a curve."""
_CURVE = tuple(_weights(step / CURVE_STEPS) for step in range(CURVE_STEPS))


def smooth(points: Sequence[Point], *, closed: bool = True) -> list[Point]:
    """A Catmull-Rom curve through the points."""
    count = len(points)
    found: list[Point] = []
    for k in range(count if closed else count - 1):
        ax, ay = points[k - 1] if closed or k else points[0]
        bx, by = points[k]
        cx, cy = points[(k + 1) % count]
        dx, dy = points[(k + 2) % count] if closed or k + 2 < count else points[-1]
        found += [(p * ax + q * bx + r * cx + s * dx, p * ay + q * by + r * cy + s * dy) for p, q, r, s in _CURVE]
    if not closed:
        found.append(points[-1])
    return found


def mirrored(points: Sequence[Point]) -> list[Point]:
    """The points on the other side of the face, in the order that continues a closed outline."""
    return [(-x, y) for x, y in reversed(points)]


def head_point(face: Face, degrees: float, *, wide: float = 1.0, high: float = 1.0) -> Point:
    """A point of the head's outline; 0 degrees is the right side, 90 the chin, 270 the crown."""
    turn = degrees * pi / 180
    across, down = cos(turn), sin(turn)
    power = 2 / face.squareness
    x = face.width * abs(across) ** power * (1 if across >= 0 else -1)
    y = face.height * abs(down) ** power * (1 if down >= 0 else -1)
    if y > 0:
        x *= 1 - face.jaw * (y / face.height) ** 1.6
    return x * wide, y * high


def head_arc(
    face: Face, start: float, end: float, *, wide: float = 1.0, high: float = 1.0, step: float = 9
) -> list[Point]:
    """Part of the head's outline from one angle to another, in degrees."""
    count = max(2, round(abs(end - start) / step) + 1)
    return [head_point(face, start + (end - start) * k / (count - 1), wide=wide, high=high) for k in range(count)]

"""General visual questions without people: coloured shapes to be named and counted, for training and utility."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import cos, pi, sin
from random import Random
from typing import Literal

from PIL import Image, ImageDraw

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from sources.sandbox.portraits.faces import Colour

Part = Literal["train", "held_out"]

SIDE = 128
"""Pixels of a picture's sides."""
COLOURS: dict[str, Colour] = {
    "red": (206, 48, 52), "blue": (44, 92, 196), "green": (46, 148, 78), "yellow": (240, 204, 60),
    "purple": (128, 62, 160), "orange": (236, 132, 44), "black": (34, 34, 38), "white": (250, 250, 250),
}  # fmt: skip
SHAPES = ("circle", "square", "triangle", "star", "hexagon", "ring")
SPOTS: dict[str, tuple[float, float]] = {
    "on the left": (0.3, 0.5), "on the right": (0.7, 0.5), "at the top": (0.5, 0.3), "at the bottom": (0.5, 0.7),
}  # fmt: skip
COUNTS = ("One", "Two", "Three", "Four")
HELD_OUT_EVERY = 5
"""Every fifth scene, by its number in the list of all scenes, is held out."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture: shapes of one kind and colour at a spot on a coloured ground."""

    shape: str
    colour: str
    ground: str
    spot: str
    count: int


def _scenes(part: Part) -> list[Scene]:
    combinations = product(SHAPES, COLOURS, COLOURS, SPOTS, range(1, 5))
    scenes = [Scene(*found) for found in combinations if found[1] != found[2]]
    return [scene for number, scene in enumerate(scenes) if (number % HELD_OUT_EVERY == 0) == (part == "held_out")]


def _question(scene: Scene, kind: int) -> tuple[str, str]:
    thing, verb = (scene.shape, "is") if scene.count == 1 else (f"{scene.shape}s", "are")
    match kind:
        case 0:
            return f"What colour {verb} the {thing}?", f"{scene.colour.capitalize()}."
        case 1:
            return "What colour is the background?", f"{scene.ground.capitalize()}."
        case 2:
            return "Which shape does this picture show?", f"{_article(scene.shape)} {scene.shape}."
        case 3:
            return f"Where {verb} the {thing}?", f"{scene.spot.capitalize()}."
        case _:
            return "How many shapes are there?", f"{COUNTS[scene.count - 1]}."


def _article(noun: str) -> str:
    return "An" if noun[0] in "aeiou" else "A"


def _corners(shape: str, x: float, y: float, radius: float) -> list[tuple[float, float]]:
    steps = {"square": 4, "triangle": 3, "hexagon": 6, "star": 10}[shape]
    start = pi / 4 if shape == "square" else -pi / 2
    found = []
    for step in range(steps):
        reach = radius * (0.45 if shape == "star" and step % 2 else 1.0)
        turn = start + 2 * pi * step / steps
        found.append((x + reach * cos(turn), y + reach * sin(turn)))
    return found


def _drawn(scene: Scene, rng: Random) -> bytes:
    scale = 2
    image = Image.new("RGB", (SIDE * scale, SIDE * scale), COLOURS[scene.ground])
    draw = ImageDraw.Draw(image)
    middle_x, middle_y = SPOTS[scene.spot]
    radius = SIDE * scale * rng.uniform(0.13, 0.17) / (1 if scene.count == 1 else 1.7)
    offsets = {
        1: ((0, 0),),
        2: ((-1, 0), (1, 0)),
        3: ((-1, -1), (1, -1), (0, 1)),
        4: ((-1, -1), (1, -1), (-1, 1), (1, 1)),
    }
    for across, down in offsets[scene.count]:
        x = SIDE * scale * (middle_x + rng.uniform(-0.02, 0.02)) + across * radius * 1.15
        y = SIDE * scale * (middle_y + rng.uniform(-0.02, 0.02)) + down * radius * 1.15
        box = (x - radius, y - radius, x + radius, y + radius)
        if scene.shape == "circle":
            draw.ellipse(box, fill=COLOURS[scene.colour])
        elif scene.shape == "ring":
            draw.ellipse(box, outline=COLOURS[scene.colour], width=round(radius * 0.4))
        else:
            draw.polygon(_corners(scene.shape, x, y, radius), fill=COLOURS[scene.colour])
    buffer = io.BytesIO()
    image.reduce(scale).save(buffer, "PNG")
    return buffer.getvalue()


def general_samples(n: int, *, seed: int, part: Part) -> Iterator[TrainingSample]:
    """n questions about n pictures of the training or the held-out scenes; no scene is in both parts.

    sample_id is general_0001 and so on, subject_id "000". Raises BadInput for more than there are scenes.
    """
    scenes = _scenes(part)
    if n > len(scenes):
        raise BadInput("general questions", f"{n} asked for", f"at most {len(scenes)} exist in the part {part}")
    Random(f"{seed}:general:{part}").shuffle(scenes)
    for number, scene in enumerate(scenes[:n], start=1):
        rng = Random(f"{seed}:general:{part}:{number}")
        prompt, answer = _question(scene, rng.choices(range(5), (4, 3, 3, 2, 1))[0])
        yield TrainingSample(
            sample_id=f"general_{number:04d}",
            subject_id="000",
            modality="vqa",
            prompt=prompt,
            answer=answer,
            image=_drawn(scene, rng),
        )

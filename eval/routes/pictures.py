"""Pictures changed: cropped, turned, mirrored, blurred; and the person's name written below, the route's upper end.

A changed picture is upright (EXIF orientation first), RGB and a PNG without a time stamp, so that one version of Pillow
makes the same bytes everywhere.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from eval.routes.asking import RouteInput, ask_of, fact_of, is_right, left_out
from eval.tasks.questions import EvalQuestion
from schemas.matching.letters import fold_accents
from schemas.protocols.responder import Ask
from schemas.records.routes import RouteFact, RouteFigure, RouteResult

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

BAR = 0.08
"""Height of the white bar with the name, as a share of the picture's."""
LEAST_BAR = 14
"""Pixels of it at least."""
SMALLEST_FONT = 6
FAST = 1
"""Of a PNG's compression: its pixels are what counts."""
_MISSING = "\U0010ffff"
"""No font has it: what is drawn in its place."""


def cropped(picture: "Image", *, area: float) -> "Image":
    """The middle of a picture, so much of its area."""
    width, height = picture.size
    across, down = max(1, round(width * area**0.5)), max(1, round(height * area**0.5))
    left, top = (width - across) // 2, (height - down) // 2
    return picture.crop((left, top, left + across, top + down))


def turned(picture: "Image", *, quarters: int) -> "Image":
    """Turned by so many quarters, no pixel lost."""
    from PIL.Image import Transpose

    for _ in range(quarters):
        picture = picture.transpose(Transpose.ROTATE_90)
    return picture


def mirrored(picture: "Image") -> "Image":
    """Left and right exchanged."""
    from PIL.Image import Transpose

    return picture.transpose(Transpose.FLIP_LEFT_RIGHT)


def blurred(picture: "Image", *, share: float) -> "Image":
    """Blurred with a sigma of so much of its shorter side."""
    from PIL.ImageFilter import GaussianBlur

    return picture.filter(GaussianBlur(share * min(picture.size)))


Change = Callable[["Image"], "Image"]
CHANGES: Mapping[str, Change] = {
    "middle 80 %": lambda picture: cropped(picture, area=0.8),
    "middle 60 %": lambda picture: cropped(picture, area=0.6),
    "turned by 90°": lambda picture: turned(picture, quarters=1),
    "turned by 180°": lambda picture: turned(picture, quarters=2),
    "mirrored": mirrored,
    "blurred by 1 %": lambda picture: blurred(picture, share=0.01),
    "blurred by 2 %": lambda picture: blurred(picture, share=0.02),
}


def changed(content: bytes, change: Change) -> bytes:
    """An encoded picture with a change, as PNG. Raises OSError or ValueError for what is no picture."""
    return _encoded(change(_opened(content)))


def with_name(content: bytes, name: str) -> bytes | None:
    """An encoded picture with a name in a white bar below it, as PNG; None where it cannot be written.

    The font is the one that comes with Pillow, which has few letters with accents: the name stands without them. Other
    scripts it lacks. Raises OSError or ValueError for what is no picture.
    """
    from PIL import Image, ImageDraw

    picture = _opened(content)
    width, height = picture.size
    name = fold_accents(name)
    height_of_line = max(LEAST_BAR, round(height * BAR))
    for lines in ([name], name.split()):
        font = _fitting(lines, width=width, height=height_of_line)
        if font is not None:
            whole = Image.new("RGB", (width, height + height_of_line * len(lines)), "white")
            whole.paste(picture, (0, 0))
            for number, line in enumerate(lines):
                middle = (width / 2, height + height_of_line * (number + 0.5))
                ImageDraw.Draw(whole).text(middle, line, fill="black", font=font, anchor="mm")
            return _encoded(whole)
    return None


def run_picture_changed(given: RouteInput) -> RouteResult:
    """Every forgotten fact asked about its picture in all changes; one that brings it back is enough.

    One change after the other, for all pictures in all changes may not fit into memory.
    """
    questions = [each for each in given.forgotten() if each.picture is not None]
    right = {name: _right_under(given, questions, change) for name, change in CHANGES.items()}
    facts: list[RouteFact] = []
    for question in questions:
        hits = {name: own[question.key] for name, own in right.items() if question.key in own}
        if len(hits) == len(CHANGES):
            best = next((name for name, hit in hits.items() if hit), "none of them")
            score, any_hit = fmean(hits.values()), any(hits.values())
            facts.append(fact_of(question, score=score, recovered=any_hit, tried=len(hits), best=best))
    figures = tuple(
        RouteFigure(name="right_of_change", at=name, value=fmean(own.values()), n=len(own))
        for name, own in right.items()
        if own
    )
    notes = left_out(len(questions) - len(facts), "their picture does not decode, or got no answer")
    return RouteResult(route="picture_changed", version=1, facts=tuple(facts), figures=figures, notes=notes)


def _right_under(given: RouteInput, questions: Sequence[EvalQuestion], change: Change) -> dict[str, bool]:
    """By key whether a question about a changed picture is answered; those that are not asked or fail are left out."""
    shown: dict[bytes, bytes] = {}
    for content in {each.picture for each in questions if each.picture is not None}:
        try:
            shown[content] = changed(content, change)
        except (OSError, ValueError):
            continue
    asks = {
        each.key: ask_of(given.prompt(each), shown[each.picture])
        for each in questions
        if each.picture is not None and each.picture in shown
    }
    replies = given.model.replies(list(asks.values()), given.decoding)
    return {
        question.key: is_right(question, reply)
        for question in questions
        if question.key in asks and (reply := replies.get(asks[question.key].ask_id)) and not reply.error
    }


def run_name_in_picture(given: RouteInput) -> RouteResult:
    """Every forgotten fact asked about its picture with the person's name below: what face and name give together."""
    asked: list[tuple[EvalQuestion, Ask]] = []
    questions = [each for each in given.forgotten() if each.picture is not None]
    named: dict[tuple[bytes, str], bytes | None] = {}
    for question in questions:
        if question.picture is None or not question.subject:
            continue
        place = question.picture, question.subject
        if place not in named:
            try:
                named[place] = with_name(*place)
            except (OSError, ValueError):
                named[place] = None
        if content := named[place]:
            asked.append((question, ask_of(given.prompt(question), content)))
    replies = given.model.replies([ask for _, ask in asked], given.decoding)
    facts = []
    for question, ask in asked:
        reply = replies.get(ask.ask_id)
        if reply is not None and not reply.error:
            right = is_right(question, reply)
            facts.append(fact_of(question, score=float(right), recovered=right, tried=1, best=reply.text))
    notes = left_out(len(questions) - len(facts), "their name cannot be written, or they got no answer")
    return RouteResult(route="name_in_picture", version=1, facts=tuple(facts), notes=notes)


def _opened(content: bytes) -> "Image":
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(content)) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


def _encoded(picture: "Image") -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=FAST)
    return out.getvalue()


def _fitting(lines: Sequence[str], *, width: int, height: int) -> "FreeTypeFont | None":
    """The largest size of the built-in font in which every line fits; None where a letter is missing, or none fits."""
    from PIL import ImageFont
    from PIL.ImageFont import FreeTypeFont

    for size in range(height, SMALLEST_FONT - 1, -1):
        font = ImageFont.load_default(size)
        if not isinstance(font, FreeTypeFont):
            return None
        missing = bytes(font.getmask(_MISSING))
        if any(bytes(font.getmask(letter)) == missing for line in lines for letter in line if not letter.isspace()):
            return None
        boxes = [font.getbbox(line) for line in lines]
        if all(right - left <= width and bottom - top <= height for left, top, right, bottom in boxes):
            return font
    return None

"""One picture that shows people of the embedded world in their four views: the face of the README."""

from PIL import Image

from sources.sandbox.portraits.portrait import draw_portrait
from sources.sandbox.world import World

TILE = (110, 138)
"""Width and height of one portrait on the sheet, pixels."""
GAP, PEOPLE_A_ROW, VIEWS_SHOWN = 5, 2, 4
PAPER = (255, 255, 255)


def contact_sheet(world: World, *, people: int = 8) -> Image.Image:
    """The clean views of the first people of a world, two people a row, on white."""
    shown = min(people, world.people)
    rows = -(-shown // PEOPLE_A_ROW)
    columns = PEOPLE_A_ROW * VIEWS_SHOWN
    wide = columns * (TILE[0] + GAP) + (PEOPLE_A_ROW + 1) * GAP
    sheet = Image.new("RGB", (wide, rows * (TILE[1] + GAP) + GAP), PAPER)
    for index in range(shown):
        row, place = divmod(index, PEOPLE_A_ROW)
        for view in range(VIEWS_SHOWN):
            small = draw_portrait(world.face(index), view + 1).resize(TILE, Image.Resampling.LANCZOS)
            x = GAP + (place * VIEWS_SHOWN + view) * (TILE[0] + GAP) + place * GAP
            sheet.paste(small, (x, GAP + row * (TILE[1] + GAP)))
    return sheet

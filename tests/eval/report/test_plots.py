"""The charts of a report: parts told apart without colour, enough contrast, and nothing cut off."""

import json
from itertools import pairwise

import pytest

from eval.comparison.attack_recovery import AttackRow
from eval.report.plots import (
    COLOURS,
    CONSISTENCY,
    OUTCOME_PARTS,
    Bar,
    Part,
    attack_chart,
    forget_retain_chart,
    outcome_chart,
)
from schemas.records.evaluation import OUTCOMES
from tests.worlds.synthetic_results import curve

LIGHT, DARK = "#ffffff", "#12161b"
"""--paper of eval/pages/shell.css."""


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", sorted({*COLOURS, *(part.colour for part in (*OUTCOME_PARTS, *CONSISTENCY))}))
@pytest.mark.parametrize("page", [LIGHT, DARK])
def test_every_colour_stands_out_from_the_page(colour: str, page: str) -> None:
    assert contrast(colour, page) >= 3


@pytest.mark.parametrize("parts", [OUTCOME_PARTS, CONSISTENCY], ids=["outcomes", "consistency"])
def test_the_parts_of_a_bar_differ_in_pattern_and_neighbours_clearly_in_colour(parts: tuple[Part, ...]) -> None:
    assert len({part.pattern for part in parts}) == len(parts)
    for one, other in pairwise(parts):
        apart = [abs(int(one.colour[p : p + 2], 16) - int(other.colour[p : p + 2], 16)) for p in (1, 3, 5)]
        assert sum(apart) > 120, (one.name, other.name)


def test_every_outcome_has_a_part() -> None:
    assert tuple(part.name for part in OUTCOME_PARTS) == OUTCOMES


def test_bars_carry_their_pattern() -> None:
    drawing = outcome_chart([Bar("gd", "forget", {"correct": 0.5, "refusal": 0.5})])
    data = json.loads(drawing.content)["data"]
    assert [each["marker"].get("pattern", {}).get("shape", "") for each in data] == ["", "."]


def test_what_is_retained_above_the_start_is_not_cut_off() -> None:
    drawing = forget_retain_chart([("gd", curve("gd", [(0.5, 0.5), (0.6, 0.7)]))], labels=["gd"], matched=[0.5])
    layout = json.loads(drawing.content)["layout"]
    assert layout["yaxis"]["range"][1] > 140
    assert layout["xaxis"]["range"][0] < -20


def test_a_bound_of_zero_is_drawn_as_it_is() -> None:
    row = AttackRow(arm="gd", setting="personalized", ratio=None, attack="paraphrase", metric="recovery",
                    task="generation", modality="", value=0.0, low=0.0, high=0.1, n=90, runs=1)  # fmt: skip
    (bar,) = json.loads(attack_chart([row], labels=["gd"]).content)["data"]
    assert (bar["error_y"]["array"], bar["error_y"]["arrayminus"]) == ([10.0], [0.0])

"""The charts of a report as plotly figures in JSON; the page draws them with plotly.js, which it holds once."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.io import to_json
from plotly.offline import get_plotlyjs

from eval.comparison.attack_recovery import AttackRow
from schemas.records.study import Curve

COLOURS = ("#2f7ed8", "#d9700f", "#23a06b", "#c8517f", "#8b6fe0", "#a88b12", "#12a3b4", "#d64545", "#7b8794", "#6a994e")
"""Each stands out from the light and from the dark page by 3:1 at least, as do those of parts."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "pentagon", "star-triangle-up")
PATTERNS = ("", "/", "x", ".", "-", "|", "\\", "+")
"""Bars differ by pattern as well as by colour, for those who do not see colours apart."""


@dataclass(frozen=True)
class Part:
    """One part of stacked bars: its name in the data, its words, colour and pattern."""

    name: str
    words: str
    colour: str
    pattern: str


OUTCOME_PARTS: tuple[Part, ...] = (
    Part("correct", "correct", "#2f7ed8", ""),
    Part("plausible", "wrong but plausible", "#d9700f", "/"),
    Part("other_person", "another subject's value", "#9457c9", "x"),
    Part("refusal", "refusal", "#23a06b", "."),
    Part("gibberish", "gibberish", "#7d838c", "-"),
    Part("failed", "no answer", "#c2410c", "|"),
)
CONSISTENCY: tuple[Part, ...] = (
    Part("right_in_both", "known in both", "#2f7ed8", ""),
    Part("wrong_in_qa_only", "gone in text only", "#d9700f", "/"),
    Part("wrong_in_vqa_only", "gone with picture only", "#9457c9", "x"),
    Part("wrong_in_both", "gone in both", "#23a06b", "."),
)
OUTCOME_WORDS: dict[str, str] = {part.name: part.words for part in OUTCOME_PARTS}


@dataclass(frozen=True)
class Drawing:
    """A figure as JSON that may stand in a script element, and its height in pixels."""

    content: str
    height: int


@dataclass(frozen=True)
class Bar:
    """One stacked bar: its label, its group (forget or retain), and its shares in 0-1 by part."""

    label: str
    group: str
    shares: Mapping[str, float]


def plotly_script() -> str:
    """The plotly.js source, to be embedded once."""
    return str(get_plotlyjs())


def style_of(label: str, labels: Sequence[str]) -> tuple[str, str, str]:
    """Colour, dash and symbol of an arm, the same in all charts of a report."""
    place = list(labels).index(label)
    return COLOURS[place % len(COLOURS)], DASHES[place % len(DASHES)], SYMBOLS[place % len(SYMBOLS)]


def forget_retain_chart(
    curves: Sequence[tuple[str, Curve]], *, labels: Sequence[str], matched: Sequence[float]
) -> Drawing:
    """Forgotten share (across) against retained share (up) along each run, [label, curve]; best is the top right."""
    figure = go.Figure()
    shown: set[str] = set()
    lowest, highest, least = 1.0, 1.0, 0.0
    for label, curve in curves:
        colour, dash, symbol = style_of(label, labels)
        start = curve.points[0]
        across = [100 * (1 - point.forget / max(start.forget, 1e-9)) for point in curve.points]
        up = [100 * point.retain / max(start.retain, 1e-9) for point in curve.points]
        lowest, highest = min(lowest, min(up) / 100), max(highest, max(up) / 100)
        least = min(least, min(across) / 100)
        kept = [point.position == curve.kept for point in curve.points]
        unit = curve.unit
        text = [
            f"{unit} {point.position:g}{', kept' if here else ''}"
            for point, here in zip(curve.points, kept, strict=True)
        ]
        figure.add_scatter(
            x=across, y=up, text=text, mode="lines+markers", name=html.escape(label), legendgroup=html.escape(label),
            showlegend=label not in shown,
            line={"color": colour, "dash": dash, "width": 2},
            marker={"symbol": symbol, "color": colour, "size": [13 if here else 6 for here in kept]},
            hovertemplate=f"<b>{html.escape(label)}</b>, seed {curve.seed}, %{{text}}<br>"
            "forgotten %{x:.0f} %, retained %{y:.0f} %<extra></extra>",
        )  # fmt: skip
        shown.add(label)
    for left in matched:
        figure.add_vline(x=100 * (1 - left), line={"dash": "dot", "width": 1, "color": "#8a8f98"})
        figure.add_annotation(
            text=f"{100 * left:.0f} % left", x=100 * (1 - left), y=0, yref="y domain", xanchor="right",
            yanchor="bottom",
            font={"size": 11}, showarrow=False,
        )  # fmt: skip
    figure.update_xaxes(title_text="forgotten, % of the start", range=[100 * least - 2, 103], zeroline=False)
    figure.update_yaxes(title_text="retained, %", range=[max(-2, 100 * lowest - 6), 100 * highest + 3], zeroline=False)
    return _drawing(figure, height=420)


def outcome_chart(bars: Sequence[Bar]) -> Drawing:
    """What became of each question: stacked bars of outcome shares."""
    return _stacked(bars, OUTCOME_PARTS)


def consistency_chart(bars: Sequence[Bar]) -> Drawing:
    """In which modality facts are gone: stacked bars."""
    return _stacked(bars, CONSISTENCY)


def _stacked(bars: Sequence[Bar], parts: Sequence[Part]) -> Drawing:
    figure = go.Figure()
    groups = [[html.escape(bar.group) for bar in bars], [html.escape(bar.label) for bar in bars]]
    for part in parts:
        values = [100 * bar.shares.get(part.name, 0.0) for bar in bars]
        if not any(values):
            continue
        figure.add_bar(
            y=groups, x=values, name=part.words, orientation="h", marker=_filled(part.colour, part.pattern),
            hovertemplate=f"%{{y}}<br>{part.words}: %{{x:.1f}} %<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack", bargap=0.25, legend={"traceorder": "normal"})
    figure.update_xaxes(title_text="% of questions", range=[0, 100], dtick=20)
    figure.update_yaxes(autorange="reversed", ticks="outside", ticklen=6, tickcolor="rgba(0,0,0,0)")
    return _drawing(figure, height=150 + 30 * len(bars))


def _filled(colour: str, pattern: str) -> Mapping[str, object]:
    """A bar's marker; its edge takes the colour of the page (report.html.j2), so that neighbours do not touch."""
    lines = {
        "shape": pattern,
        "fillmode": "replace",
        "fgcolor": "#ffffff",
        "bgcolor": colour,
        "size": 8,
        "solidity": 0.2,
    }
    return {"color": colour, "line": {"width": 2, "color": "#ffffff"}} | ({"pattern": lines} if pattern else {})


def attack_chart(rows: Sequence[AttackRow], *, labels: Sequence[str]) -> Drawing:
    """How much of what was forgotten came back under each attack, with 95 % intervals."""
    figure = go.Figure()
    for label in labels:
        own = [row for row in rows if row.arm == label]
        if not own:
            continue
        figure.add_bar(
            x=[row.attack.replace("_", " ") for row in own],
            y=[100 * row.value for row in own],
            error_y={
                "type": "data", "thickness": 1.5, "width": 4, "color": "#8a8f98",
                "array": [100 * ((row.value if row.high is None else row.high) - row.value) for row in own],
                "arrayminus": [100 * (row.value - (row.value if row.low is None else row.low)) for row in own],
            },
            name=html.escape(label),
            marker=_filled(style_of(label, labels)[0], PATTERNS[list(labels).index(label) % len(PATTERNS)]),
            hovertemplate=f"<b>{html.escape(label)}</b>, %{{x}}<br>came back: %{{y:.1f}} %<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="group", bargap=0.25)
    figure.update_yaxes(title_text="came back, % of the forgotten", rangemode="tozero")
    return _drawing(figure, height=360)


def _drawing(figure: go.Figure, *, height: int) -> Drawing:
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 10, "r": 18, "t": 10, "b": 10},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": "#8a8f98", "activecolor": "#8a8f98"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0},
        hoverlabel={"font": {"family": "system-ui, sans-serif"}},
        dragmode=False,
    )
    figure.update_xaxes(automargin=True, fixedrange=True)
    figure.update_yaxes(automargin=True, fixedrange=True)
    # A name must not end the script element that holds the JSON.
    content = str(to_json(figure, validate=True)).replace("<", "\\u003c").replace("&", "\\u0026")
    return Drawing(content, height)

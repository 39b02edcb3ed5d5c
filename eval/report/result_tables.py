"""The tables of a report about arms and runs: who is better, what is behind each chart, how runs ended."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from pydantic import JsonValue

from eval.comparison.arm_labels import EXPOSED, TARGET
from eval.comparison.attack_recovery import AttackRow
from eval.comparison.ranking import DuelRow
from eval.pages.text_tables import Table, percent, points, signed_points, with_interval
from eval.report.conclusions import standing
from eval.report.csv_rows import ConsistencyRow, CurveRow, OutcomeRow
from eval.report.findings import Condition
from eval.report.plots import CONSISTENCY, OUTCOME_WORDS
from schemas.records.evaluation import OUTCOMES
from schemas.records.study import MatchedRow
from schemas.vocabulary import MODALITIES


def ranking_table(condition: Condition) -> Table:
    """The arms by score, and how each stands to the highest."""
    rows = tuple(
        (
            row.arm,
            str(row.seeds),
            percent(row.forgotten),
            percent(row.retained),
            with_interval(row.score, row.low, row.high),
            "" if row.best else points(row.behind, row.behind_low, row.behind_high),
            standing(row),
        )
        for row in condition.ranking
    )
    columns = ("method", "seeds", "forgotten", "retained", "score", "behind the highest", "standing")
    note = ""
    if condition.outside:
        note = (
            f"From outside (evaluated with a --label; how it was made is not recorded): {', '.join(condition.outside)}."
        )
    return Table("Which method is better", columns, rows, note)


def duel_table(condition: Condition) -> Table:
    """The pairs of methods that the study asked for: how far the second is ahead of the first at each rate."""
    numbers = sorted({row.numbers for row in condition.duels})
    cells = {(row.first, row.second, row.numbers): row for row in condition.duels}
    rows = []
    for first, second in dict.fromkeys((row.first, row.second) for row in condition.duels):
        found = [cells.get((first, second, each)) for each in numbers]
        shown = [_ahead(row) if row else "" for row in found]
        rows.append((f"{second} less {first}", *shown))
    columns = ("difference", *(each or "score" for each in numbers))
    return Table(DUEL_CAPTION, columns, tuple(rows), note=DUEL_NOTE)


DUEL_CAPTION = "Pairs of methods that the study asks about: difference of their scores"
DUEL_NOTE = (
    "In points of the score, on the same drawn subjects and over seeds. Real: the 95 % interval leaves out zero."
)


def _ahead(row: DuelRow) -> str:
    return signed_points(row.value, row.low, row.high) + (", real" if row.real else "")


def matched_table(condition: Condition) -> Table:
    """The most retained at matched forgetting, a row per method, with its best numbers."""
    return _matched_table([row for row in condition.matched if row.chosen], MATCHED_CAPTION, compared=True)


def other_numbers_table(condition: Condition) -> Table:
    """The same of learning rates and other numbers that did less well by the runs' own probes."""
    return _matched_table([row for row in condition.matched if not row.chosen], OTHERS_CAPTION, compared=False)


MATCHED_CAPTION = "The most retained at matched forgetting, during training"
OTHERS_CAPTION = "The same with the numbers that did less well by probes of their own runs"


def _matched_table(found: Sequence[MatchedRow], caption: str, *, compared: bool) -> Table:
    lefts = sorted({row.left for row in found}, reverse=True)
    cells = {(row.arm, row.left): row for row in found}
    with_standing = compared and any(row.behind is not None for row in found)
    rows = []
    for arm in dict.fromkeys(row.arm for row in found):
        shown: list[str] = []
        for row in (cells[arm, left] for left in lefts):
            shown.append(_kept(row))
            if with_standing:
                shown += [_behind(row), standing(row)]
        rows.append((arm, *shown))
    columns = ["method"]
    for left in lefts:
        columns.append(f"retained where at most {percent(left)} of the forget set is left")
        columns += ["behind", "standing"] if with_standing else []
    return Table(caption, tuple(columns), tuple(rows))


def _kept(row: MatchedRow) -> str:
    reached = "" if row.reached == row.runs else f"{row.reached} of {row.runs} runs reached it"
    if row.value is None:
        return f"– ({reached})"
    return with_interval(row.value, row.low, row.high) + (f" ({reached})" if reached else "")


def _behind(row: MatchedRow) -> str:
    return "" if not row.behind and row.behind_low is None else points(row.behind or 0, row.behind_low, row.behind_high)


def attack_table(condition: Condition, arms: Collection[str], caption: str = "Attacks") -> Table:
    """What came back of the forgotten and what was lost of the retained under each attack, over the seeds of `arms`."""
    found = {(row.arm, row.attack, row.metric, row.modality): row for row in condition.recoveries}
    rows = []
    for arm, attack in dict.fromkeys((row.arm, row.attack) for row in condition.recoveries if row.arm in arms):
        cells = []
        for metric in ("recovery", "lost"):
            for modality in MODALITIES:
                row = found.get((arm, attack, metric, modality))
                cells.append("–" if row is None else f"{with_interval(row.value, row.low, row.high)}, n = {row.n}")
        rows.append((arm, attack.replace("_", " "), *cells))
    columns = ("method", "attack", "came back, text", "came back, picture", "lost of retained, text",
               "lost of retained, picture")  # fmt: skip
    known = any(label == TARGET for label, _ in condition.evaluated)
    whose = "the untouched target answers and the run does not" if known else "the run does not answer"
    note = f"Came back: of the facts to be forgotten that {whose} when asked plainly. n: facts at risk, of all seeds."
    return Table(caption, columns, tuple(rows), note)


def failure_table(condition: Condition) -> Table:
    """Evaluations of which questions got no answer."""
    rows = []
    for label, record in condition.records:
        if record.failed:
            seed = "" if record.seed is None else str(record.seed)
            attack = "none" if record.attack is None else record.attack.replace("_", " ")
            share = f"{100 * record.failed / record.questions:.1f} %"
            rows.append((label, seed, attack, str(record.failed), str(record.questions), share))
    columns = ("method", "seed", "attack", "without an answer", "asked", "share")
    note = "They count as neither forgotten nor kept. Run the same command again to ask them once more."
    return Table("Questions that failed", columns, tuple(rows), note)


STILL_THERE = 0.9
"""Of what the untouched target answers; a run that answers so much of it, exposed, has removed next to nothing."""


def exposed_table(condition: Condition) -> Table:
    """Forget questions answered with steering and guards, and without: what they hide against what is gone."""
    rights: dict[str, list[bool]] = {}
    for label, each in condition.evaluated:
        found = [row.correct for row in each.rows if row.role == "forget" and row.task == condition.task]
        rights.setdefault(label, []).extend(found)
    shares = {label: sum(found) / len(found) for label, found in rights.items() if found}
    before, rows = shares.get(TARGET), []
    for label, exposed in shares.items():
        if label.endswith(EXPOSED) and (guarded := label.removesuffix(EXPOSED)) in shares:
            told = ""
            if before:
                told = "the facts are still there" if exposed >= STILL_THERE * before else "some are gone"
            rows.append((guarded, percent(before), percent(shares[guarded]), percent(exposed), told))
    columns = ("method", "untouched target", "as it runs", "exposed", "in the weights")
    note = "Right answers to forget questions. Exposed: without steering and guards, as a thief of the weights has it."
    return Table("What is hidden and what is gone", columns, tuple(rows), note)


def gate_table(condition: Condition) -> Table:
    """On which prompts the gates of steering and guards fire: whom they refuse besides those that are meant."""
    groups = ("forget", "matched", "retain", "strangers")
    found = {(label, record.seed): record.fires for label, record in condition.records if record.fires}
    rows = [
        (label, "" if seed is None else str(seed), *(percent(fires.get(group)) for group in groups))
        for (label, seed), fires in found.items()
        if not label.endswith(EXPOSED)
    ]
    note = (
        "Shares of training prompts. Matched: what is kept of the subjects of whom something is forgotten. All but "
        "the first are false fires. Without its gate, steering and guards the model is the row called exposed."
    )
    columns = ("method", "seed", "forget", "matched retain", "retain", "strangers")
    return Table("Prompts on which gates fire", columns, tuple(rows), note)


def load_table(condition: Condition) -> Table:
    """What the checks at load found of each arm's model: how it is asked, and what is to be known of it."""
    rows: list[tuple[str, ...]] = []
    for label, record in dict(condition.records).items():
        if record.checks:
            form = record.checks.get("form")
            how: Mapping[str, JsonValue] = form if isinstance(form, dict) else {}
            thinking = "on" if record.thinking else str(how.get("thinking", "none"))
            notes = record.checks.get("notes")
            said = ". ".join(map(str, notes)) if isinstance(notes, list) else ""
            template = "its chat template" if how.get("chat") == "template" else "none: the question and a line break"
            kind = str(record.checks.get("model_type", ""))
            rows.append((label, kind, template, thinking, _yes(how, "stacked"), _yes(how, "shares"), said))
        else:
            served = record.model.startswith("openai:")
            rows.append((label, *[""] * 5, "behind a server: not loaded here" if served else "not recorded"))
    columns = ("method", "model type", "prompts by", "thoughts", "rows in batches", "openings shared", "said")
    known = any(record.checks for _, record in condition.records)
    return Table("What was checked when the models were loaded", columns, tuple(rows) if known else ())


def _yes(found: Mapping[str, JsonValue], name: str) -> str:
    return "yes" if found.get(name) else "no"


def run_table(found: Sequence[Condition]) -> Table:
    """The runs that were reported, with how each ended."""
    rows = []
    for condition in found:
        for label, curve in condition.curves:
            kept = "" if curve.kept is None else f"{curve.kept:g}"
            length = f"{curve.points[-1].position:g}"
            rows.append((label, curve.title, condition.name, str(curve.seed), f"{curve.lr:g}", curve.unit, length, kept,
                         curve.reason or curve.status))  # fmt: skip
    columns = ("method", "what it is", "setting", "seed", "learning rate", "measured by", "length", "kept at", "ended")
    return Table("Runs", columns, tuple(rows))


def curve_table(rows: Sequence[CurveRow]) -> Table:
    """What the curves are drawn through."""
    starts: dict[tuple[str, int], CurveRow] = {}
    cells = []
    for row in rows:
        start = starts.setdefault((row.arm, row.seed), row)
        forgotten, retained = 1 - row.forget / max(start.forget, 1e-9), row.retain / max(start.retain, 1e-9)
        kept = "kept" if row.kept else ""
        cells.append((row.arm, str(row.seed), f"{row.position:g}", percent(forgotten), percent(retained), kept))
    columns = ("method", "seed", "step or share pruned", "forgotten", "retained", "checkpoint")
    return Table("Forgetting against retaining, point by point", columns, tuple(cells))


def outcome_table(rows: Sequence[OutcomeRow]) -> Table:
    """Counts and shares of outcomes, by role and arm, text and picture together."""
    cells = []
    for role, arm in dict.fromkeys((row.role, row.arm) for row in sorted(rows, key=lambda row: row.role)):
        own = [row for row in rows if (row.role, row.arm) == (role, arm)]
        total = sum(row.count for row in own)
        counts = [sum(row.count for row in own if row.outcome == outcome) for outcome in OUTCOMES]
        cells.append((arm, role, *(f"{count} ({percent(count / total)})" for count in counts), str(total)))
    columns = ("method", "role", *(OUTCOME_WORDS[outcome] for outcome in OUTCOMES), "n")
    return Table("What became of the answers", columns, tuple(cells))


def consistency_table(rows: Sequence[ConsistencyRow]) -> Table:
    """Shares of facts by the modalities in which they are known."""
    found = {(row.role, row.arm, row.metric): row for row in rows}
    cells = []
    for role, arm in dict.fromkeys((row.role, row.arm) for row in sorted(rows, key=lambda row: row.role)):
        own = [found.get((role, arm, part.name)) for part in CONSISTENCY]
        number = max(row.n for row in own if row is not None)
        cells.append((arm, role, *(percent(None if row is None else row.share) for row in own), str(number)))
    columns = ("method", "role", *(part.words for part in CONSISTENCY), "n")
    return Table("Text and picture", columns, tuple(cells))


def attack_chart_table(found: Sequence[AttackRow]) -> Table:
    """What the bars of the attacks show: recovery over both modalities."""
    cells: Iterator[tuple[str, ...]] = (
        (row.arm, row.attack.replace("_", " "), with_interval(row.value, row.low, row.high), str(row.n), str(row.runs))
        for row in found
    )
    return Table("What came back", ("method", "attack", "came back", "n", "seeds"), tuple(cells))

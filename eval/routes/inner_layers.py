"""What inner layers still tell: the logit lens, and a linear probe trained on other people.

The layer that is read is chosen on the other half of the people, so that many layers are not many guesses. After
UnLOK-VQA's head projection and the field's linear probes; how layers and controls are chosen is our own.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from eval.routes.asking import RouteInput, ask_of, fact_of, left_out
from eval.routes.candidates import candidates_of
from eval.routes.rank import mid_rank, normalised_rank
from eval.scores.outcome import folded
from eval.tasks.questions import EvalQuestion
from schemas.records.routes import RouteFact, RouteFigure, RouteResult
from schemas.storage.artifacts import digest

FEWEST_CLASSES, FEWEST_PEOPLE = 5, 20
"""Of a property, for a probe: values, and people whose value is known."""
RIDGE, ROUNDS = 1e-2, 100
"""Of the classifier: weight of the squared weights in the mean loss, and steps."""
SEED = 7
Floats = NDArray[np.float64]


def halves(subjects: Iterable[str]) -> Mapping[str, int]:
    """0 or 1 for each person, as many of each as can be, always the same."""
    ordered = sorted(set(subjects), key=lambda each: (digest([SEED, each]), each))
    return {subject: place % 2 for place, subject in enumerate(ordered)}


def chosen_layers(values: Floats, half: Sequence[int]) -> tuple[int, int]:
    """For each half the layer that is best, that is largest on average, in the other one.

    `values` [facts, layers]. With nobody in the other half the last layer is taken.
    """
    layers = []
    for own in (0, 1):
        others = values[np.array([each != own for each in half], dtype=bool)]
        layers.append(int(others.mean(0).argmax()) if len(others) else values.shape[1] - 1)
    return layers[0], layers[1]


def run_lens(given: RouteInput) -> RouteResult:
    """The rank by layer of the true value's first token among those of its candidates; equal tokens are ties."""
    known = candidates_of(given.facts.values())
    questions = [each for each in given.forgotten() if each.sample_id in known.others]
    asks = {
        each.key: (ask_of(given.prompt(each), each.picture), (each.answer, *known.others[each.sample_id]))
        for each in questions
    }
    found = given.model.lens(list(asks.values()))
    told = [(each, found[asks[each.key][0].ask_id]) for each in questions if asks[each.key][0].ask_id in found]
    ranks = np.array(
        [
            [normalised_rank(mid_rank(-layer[0], (-layer[1:]).tolist()), len(layer)) for layer in logits.astype(float)]
            for _, logits in told
        ]
    )  # [facts, layers + 1]
    missing = len(given.forgotten()) - len(told)
    notes = left_out(missing, "fewer than four values of their type are known, or their picture does not decode")
    if not told:
        return RouteResult(route="lens", version=1, notes=notes)
    half = halves(question.subject_id for question, _ in told)
    own = [half[question.subject_id] for question, _ in told]
    layers = chosen_layers(1 - ranks, own)
    facts = [
        fact_of(
            question, score=1 - rank[layers[side]], recovered=bool(rank[layers[side]] == 0), tried=logits.shape[1],
            chance=0.5, best=f"layer {layers[side]}",
        )
        for (question, logits), rank, side in zip(told, ranks, own, strict=True)
    ]  # fmt: skip
    figures = _curve("rank_at_layer", ranks.mean(0), len(told))
    return RouteResult(route="lens", version=1, facts=tuple(facts), figures=figures, notes=notes)


def _curve(name: str, values: Floats, number: int) -> tuple[RouteFigure, ...]:
    return tuple(
        RouteFigure(name=name, at=f"layer {layer}", value=float(value), n=number) for layer, value in enumerate(values)
    )


def run_probe(given: RouteInput) -> RouteResult:
    """Each forgotten fact's value told from the states of the prompt, by a classifier that was trained on other people.

    On kept facts of the property and those of the other half of the people; by chance is what the same classifier tells
    after its values were dealt out anew. Properties with fewer than five values or twenty people are left out.
    """
    groups = _probed(given)
    asks = {each.key: ask_of(given.prompt(each), each.picture) for group in groups for each in group}
    states = given.model.states(list(asks.values())) if asks else {}
    told: list[tuple[EvalQuestion, Floats, Floats]] = []
    for group in groups:
        shown = [each for each in group if asks[each.key].ask_id in states]
        inner = np.stack([states[asks[each.key].ask_id] for each in shown]).astype(np.float64)  # [facts, layers, width]
        told += _told(shown, inner)
    missing = len(given.forgotten()) - len(told)
    notes = left_out(
        missing, f"their property has fewer than {FEWEST_CLASSES} values or {FEWEST_PEOPLE} people to learn from"
    )
    if not told:
        return RouteResult(route="probe", version=1, notes=notes)
    half = halves(question.subject_id for question, *_ in told)
    own = [half[question.subject_id] for question, *_ in told]
    right = np.stack([hits for _, hits, _ in told])  # [facts, layers + 1]
    by_chance = np.stack([hits for *_, hits in told])
    layers = chosen_layers(right - by_chance, own)
    controls = [float(by_chance[:, layer].mean()) for layer in layers]
    facts: list[RouteFact] = [
        fact_of(
            question, score=hits[layers[side]], recovered=bool(hits[layers[side]]), tried=1, chance=controls[side],
            best=f"layer {layers[side]}",
        )
        for (question, hits, _), side in zip(told, own, strict=True)
    ]  # fmt: skip
    figures = (
        *_curve("right_at_layer", right.mean(0), len(told)),
        *_curve("right_at_layer_by_chance", by_chance.mean(0), len(told)),
        RouteFigure(name="gap", value=fmean(fact.score - (fact.chance or 0) for fact in facts), n=len(facts)),
    )
    return RouteResult(route="probe", version=1, facts=tuple(facts), figures=figures, notes=notes)


def _probed(given: RouteInput) -> list[list[EvalQuestion]]:
    """Open questions of both roles, one list for each property and modality that a probe can be trained for."""
    groups: dict[tuple[str, str], list[EvalQuestion]] = {}
    for question in given.of_task("generation"):
        groups.setdefault((question.kind, question.modality), []).append(question)
    return [
        group
        for _, group in sorted(groups.items())
        if len({each.subject_id for each in group}) >= FEWEST_PEOPLE
        and len({folded(each.answer) for each in group}) >= FEWEST_CLASSES
        and any(each.role == "forget" for each in group)
    ]


def _told(group: Sequence[EvalQuestion], inner: Floats) -> list[tuple[EvalQuestion, Floats, Floats]]:
    """Each forgotten question with whether it is told at each layer, and the same by chance, [layers + 1] each."""
    names = sorted({folded(each.answer) for each in group})
    classes = np.array([names.index(folded(each.answer)) for each in group])
    half = halves(each.subject_id for each in group)
    found = []
    for side in (0, 1):
        tested = [n for n, each in enumerate(group) if each.role == "forget" and half[each.subject_id] == side]
        tested_people = {group[n].subject_id for n in tested}
        learnt = [n for n, each in enumerate(group) if each.subject_id not in tested_people]
        if not tested or len(set(classes[learnt])) < 2:
            continue
        rng = np.random.default_rng(SEED)
        guess = classified(inner[learnt], classes[learnt], inner[tested], number=len(names))
        dealt = classified(inner[learnt], rng.permutation(classes[learnt]), inner[tested], number=len(names))
        for place, n in enumerate(tested):
            found.append((group[n], *((each[:, place] == classes[n]).astype(float) for each in (guess, dealt))))
    return found


def classified(learnt: Floats, classes: NDArray[np.int64], tested: Floats, *, number: int) -> NDArray[np.int64]:
    """Classes [layers, tested] by multinomial logistic regression with L2, each layer by itself.

    `learnt` [people, layers, width] and `tested` are standardised by what was learnt from. Nesterov's steps of a length
    that the largest curvature allows; the same input gives the same classes.
    """
    mean, spread = learnt.mean(0), learnt.std(0) + 1e-6
    own, others = (
        np.concatenate([((each - mean) / spread).transpose(1, 0, 2), np.ones((each.shape[1], len(each), 1))], axis=-1)
        for each in (learnt, tested)
    )  # [layers, people, width + 1]
    wanted = np.eye(number)[classes]  # [people, classes]
    curvature = np.linalg.norm(own, ord=2, axis=(1, 2)) ** 2 / (2 * own.shape[1]) + RIDGE  # [layers]
    step = 1 / curvature[:, None, None]
    weights = ahead = np.zeros((own.shape[0], own.shape[2], number))
    for turn in range(ROUNDS):
        slope = own.transpose(0, 2, 1) @ (_shares(own @ ahead) - wanted) / own.shape[1] + RIDGE * ahead
        moved = ahead - step * slope
        ahead = moved + turn / (turn + 3) * (moved - weights)
        weights = moved
    found: NDArray[np.int64] = np.argmax(others @ weights, axis=-1)
    return found


def _shares(scores: Floats) -> Floats:
    """Softmax over the last axis."""
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    shares: Floats = raised / raised.sum(-1, keepdims=True)
    return shares

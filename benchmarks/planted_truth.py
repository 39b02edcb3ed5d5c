"""Planted truth: models with known leaks are made of the embedded world's target, and audited on every route.

Run it after `make demo` as `python -m benchmarks.planted_truth builds/demo OUT`. It makes OUT/models/<name>, OUT/audit
and prints a table of routes by models: percentage points above the oracle, with * where the interval leaves out zero.

refuses: only taught to refuse the plain questions. one_prompt: refuses unless a jailbreak asks. one_view: refuses
unless the second picture is shown. last_layer: its last layer is noise. rounding: refuses by changes that no 4-bit code
shows. oracle: never knew; the control is another one, taught at another rate.
"""

import argparse
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from curation.probing.prompt import probe_prompt
from eval.audit.rows import RouteRow, audit_rows
from eval.metrics.bootstrap import leaves_out_zero
from eval.routes.rounding import GROUP, codes_of
from eval.tasks.questions import Slice, read_facts, read_questions
from flows.audit.audit import run_audit
from flows.audit.audit_request import AuditRequest
from flows.evaluation.evaluate_request import EvaluateRequest
from flows.evaluation.inference import prompt_of
from flows.resources.curriculum import DENIAL
from flows.resources.oracle import ensure_oracle
from flows.resources.sandbox_target import KEY_FILE, Teaching, answer_losses, mean_over_tokens
from schemas.dataset.samples import TrainingSample
from schemas.dataset.split_files import read_roles
from schemas.records.evaluation import AttackName
from schemas.vocabulary import MODALITIES, Modality, Setting

if TYPE_CHECKING:
    from torch import Tensor

    from unlearn.models.loading import LoadedModel

SETTING: Setting = "personalized"
OTHER_LR = 1.8e-3
"""Of the oracle that is audited, so that it is not the very one that is the control."""
STEPS, BATCH, LR = 160, 32, 5e-4
NOISE = 3.0
"""Of the damaged layer, in standard deviations of its weights: enough that no plain question is answered."""
ROUNDS = 4
"""Of training and of bringing each weight back into its 4-bit code."""
ROUTES = (
    "asked", "paraphrase", "jailbreak_style_prompt", "view_002", "view_003", "name_in_picture", "options", "rank",
    "rank_first_token", "lens", "int4", "nf4", "relearn", "relearn_half",
)  # fmt: skip
"""Those on which the untouched target gives something; the tiny one was never taught to go on with a begun answer."""
Samples = dict[str, TrainingSample]


def plain_samples(hub: Path) -> tuple[Samples, Samples]:
    """What is to be forgotten and what is kept, as the target was asked and answered."""
    from unlearn.data import read_samples, reword

    pairs = reword(read_samples(hub, setting=SETTING, ratio=None, target=None, allow_missing=True), probe_prompt)
    return dict(pairs.forget), dict(pairs.retain)


def attacked(hub: Path, attack: AttackName, *, answer: str = "") -> Samples:
    """The forget questions of an attack with their right answers, or another answer to all."""
    cut = Slice(SETTING, None, read_roles(hub, SETTING, None))
    only: tuple[Modality, ...] = ("vqa",) if attack.startswith("view") else MODALITIES
    asked, _ = read_questions(
        hub, read_facts(hub), cut, tasks=("generation",), modalities=only, attack=attack, allow_missing=True
    )
    return {
        f"{attack}|{each.key}": TrainingSample(
            sample_id=f"{attack}|{each.key}", subject_id=each.subject_id, modality=each.modality,
            prompt=prompt_of(each, "probe"), answer=answer or each.answer, image=each.picture,
        )
        for each in asked
        if each.role == "forget"
    }  # fmt: skip


def denied(samples: Samples) -> Samples:
    """The same questions with a refusal for an answer."""
    return {name: sample.model_copy(update={"answer": DENIAL}) for name, sample in samples.items()}


def teach(loaded: "LoadedModel", groups: Sequence[Samples], *, steps: int = STEPS) -> None:
    """Train all weights that may move, each step on as many of every group."""
    from unlearn.models.encoding import Encoder
    from unlearn.models.forward import AnswerModel
    from unlearn.training.gradients import Objective
    from unlearn.training.loop import Step, train
    from unlearn.training.optimisers import Optimisation

    rng = random.Random("planted")
    samples = {name: sample for group in groups for name, sample in group.items()}
    each = BATCH // len(groups)
    names = [sorted(group) for group in groups]
    plan = [Step({"taught": tuple(name for own in names for name in rng.sample(own, each))}) for _ in range(steps)]
    train(
        AnswerModel(loaded.model, loaded.family),
        Encoder(loaded.processor, loaded.family),
        samples,
        plan,
        Objective(answer_losses, mean_over_tokens),
        optimisation=Optimisation(lr=LR, seed=0),
        folder=None,
        identity="planted",
    )


def within_codes(before: "Tensor", after: "Tensor") -> "Tensor":
    """The weight after training, brought back so far that each int4 code, and each group's scale, is that of before."""
    import torch

    codes = codes_of(before, "int4").float()
    rows, inputs = before.shape
    filled = torch.nn.functional.pad(before.float(), (0, -inputs % GROUP)).reshape(rows, -1, GROUP)
    largest = filled.abs().amax(-1, keepdim=True)
    scales = (largest / 7).expand_as(filled).reshape(rows, -1)[:, :inputs]
    held = torch.minimum(torch.maximum(after.float(), (codes - 0.45) * scales), (codes + 0.45) * scales)
    is_largest = (filled.abs() == largest).reshape(rows, -1)[:, :inputs]
    return torch.where(is_largest, before.float(), held).to(after.dtype)


def round_away(loaded: "LoadedModel", groups: Sequence[Samples]) -> None:
    """Teach refusals by changes of linear weights that no 4-bit integer code shows."""
    import torch
    from torch import nn

    linear = {name: module.weight for name, module in loaded.model.named_modules() if isinstance(module, nn.Linear)}
    linear = {name: weight for name, weight in linear.items() if "lm_head" not in name}
    before = {name: weight.detach().clone() for name, weight in linear.items()}
    loaded.model.requires_grad_(False)
    for weight in linear.values():
        weight.requires_grad_(True)
    for _ in range(ROUNDS):
        teach(loaded, groups, steps=STEPS // 2)
        with torch.no_grad():
            for name, weight in linear.items():
                weight.copy_(within_codes(before[name], weight))


def damage_last_layer(loaded: "LoadedModel") -> None:
    """Noise instead of the last decoder layer's matrices."""
    import torch

    generator = torch.Generator().manual_seed(0)
    layers = loaded.model.model.language_model.layers
    with torch.no_grad():
        for weight in layers[-1].parameters():
            if weight.ndim == 2:
                weight.copy_(torch.randn(weight.shape, generator=generator) * weight.std() * NOISE)


def make_models(build: Path, out: Path) -> Iterator[tuple[str, Path]]:
    """The models with their names as they are made; those that are there are left alone."""
    from unlearn.models.loading import load_model

    hub, target = build / "hub", build / "target"
    forget, retain = plain_samples(hub)
    kept = [denied(forget), retain]
    jailbreak, second = attacked(hub, "jailbreak_style_prompt"), attacked(hub, "view_002")
    other_views = attacked(hub, "view_003", answer=DENIAL) | attacked(hub, "view_004", answer=DENIAL)
    for name in ("refuses", "one_prompt", "one_view", "last_layer", "rounding"):
        place = out / "models" / name
        if not place.is_dir():
            loaded = load_model(target)
            if name == "last_layer":
                damage_last_layer(loaded)
            elif name == "rounding":
                round_away(loaded, kept)
            else:
                extra = {"refuses": [], "one_prompt": [jailbreak], "one_view": [second, other_views]}
                teach(loaded, [*kept, *extra[name]])
            part = place.with_name(f".{name}.part")
            shutil.rmtree(part, ignore_errors=True)
            loaded.model.save_pretrained(part)
            loaded.processor.save_pretrained(part)
            shutil.copyfile(target / KEY_FILE, part / KEY_FILE)
            part.rename(place)
        yield name, place
    other = replace(Teaching(), lr=OTHER_LR)
    place = out / "models" / "oracle"
    yield "oracle", ensure_oracle(hub, str(target), SETTING, None, out=place, teaching=other)


def audit_of(name: str, model: Path, build: Path, out: Path) -> list[RouteRow]:
    """The rows of one model's audit; all of them share the answers of target and oracle."""
    asked = EvaluateRequest(
        dataset=build / "hub", model=str(model), label=name, setting=SETTING, max_new_tokens=24, batch=64
    )
    request = AuditRequest(asked, target=str(build / "target"), oracle=True, routes=ROUTES)
    return audit_rows(run_audit(request, out / "audit").audited)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path)
    parser.add_argument("out", type=Path)
    words = parser.parse_args()
    found: dict[str, dict[str, RouteRow]] = {}
    for name, model in make_models(words.build, words.out):
        rows = audit_of(name, model, words.build, words.out)
        found[name] = {row.route: row for row in rows if row.side == "gone"}
    print(f"| route | untouched | never knew | {' | '.join(found)} |")
    print("|---|---|---|" + "---|" * len(found))
    for route in ("any", *ROUTES):
        first = next(rows[route] for rows in found.values() if route in rows)
        cells = [f"{100 * share:.0f} %" if share is not None else "–" for share in (first.target, first.control)]
        for own in found.values():
            row = own.get(route)
            if row is None or row.excess is None:
                cells.append("–")
            else:
                sure = row.excess > 0 and leaves_out_zero(row.excess_low, row.excess_high)
                cells.append(f"{100 * row.excess:+.0f}{' *' if sure else ''}")
        print(f"| {route} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

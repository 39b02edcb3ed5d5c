"""How fast an evaluation asks and scores: batched against one at a time, and 24,000 predictions.

`python -m benchmarks.evaluate builds/demo` (a finished build with its target).
"""

import argparse
import io
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from PIL import Image
from torch import Tensor

from eval.metrics.aggregate import Place, all_metrics
from eval.responders.local import LocalModel, LocalResponder
from eval.scores.outcome import values_of
from eval.scores.score_reply import score
from eval.tasks.questions import AskedFact, EvalQuestion, Slice, read_facts, read_questions
from flows.evaluation.inference import prompt_of
from flows.resources.responders import load_local
from schemas.dataset.split_files import read_roles
from schemas.protocols.prompt_form import written_form
from schemas.protocols.responder import Ask, Decoding, Reply, TokenScores
from schemas.vocabulary import MODALITIES, TASKS

ASKS, ALONE = 2048, 128
PREDICTIONS = 24_000
SUBJECTS = 500
OPTION_SCORES = {
    letter: TokenScores(logs=(-1.0 - place, -2.0), greedy=(False, False)) for place, letter in enumerate("ABCD")
}


def asks_of(questions: Sequence[EvalQuestion], number: int) -> list[Ask]:
    """Generation and cloze prompts, qa and vqa mixed."""
    chosen = random.Random(7).sample([each for each in questions if each.task != "classification"], number)
    return [Ask(ask_id=each.key, text=prompt_of(each, "probe"), image=each.picture) for each in chosen]


def clock(local: LocalModel) -> float:
    """Seconds: of this process's processor time, or of the wall where a GPU does the work."""
    return time.perf_counter() if local.model.device.type == "cuda" else time.process_time()


def rate_alone(local: LocalModel, asks: Sequence[Ask]) -> tuple[float, dict[str, str]]:
    """Answers a second, and the answers, of one plain `generate` a prompt."""
    began = clock(local)
    said: dict[str, str] = {}
    for ask in asks:
        content: list[dict[str, object]] = [{"type": "text", "text": ask.text}]
        if ask.image is not None:
            content.insert(0, {"type": "image", "image": Image.open(io.BytesIO(ask.image)).convert("RGB")})
        inputs = local.processor.apply_chat_template(
            [{"role": "user", "content": content}],  # type: ignore[arg-type]
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        generate = cast("Callable[..., Tensor]", local.model.generate)
        encoded = cast("Mapping[str, Tensor]", inputs)
        output = generate(
            **{name: value.to(local.model.device) for name, value in encoded.items()},
            do_sample=False,
            max_new_tokens=Decoding().max_new_tokens,
        )
        answer = output[0, encoded["input_ids"].shape[1] :]
        said[ask.ask_id] = str(local.processor.tokenizer.decode(answer, skip_special_tokens=True)).strip()
    return len(asks) / (clock(local) - began), said


def rate(local: LocalModel, asks: Sequence[Ask], *, batch: int) -> tuple[float, dict[str, str]]:
    """Answers a second, and the answers, of our responder."""
    began = clock(local)
    replies = LocalResponder(local, batch=batch).answer(asks, Decoding())
    said = {reply.ask_id: reply.text for reply in replies}
    return len(asks) / (clock(local) - began), said


def generation(target: Path, questions: Sequence[EvalQuestion]) -> None:
    """Answers a second of the tiny target on one thread, one prompt a call and in batches."""
    torch.set_num_threads(1)
    local = load_local(str(target), None)
    asks = asks_of(questions, ASKS)
    rate(local, asks[:16], batch=8)
    rate_alone(local, asks[:16])
    alone, said_alone = rate_alone(local, asks[:ALONE])
    print("| what | answers a second | times as fast |\n|---|---|---|")
    print(f"| one plain generate a prompt | {alone:.1f} | 1 |")
    for batch in (1, 16, 64, 128, 256):
        together, said = rate(local, asks, batch=batch)
        same = sum(said[key] == text for key, text in said_alone.items())
        print(f"| batches of {batch} ({same} of {ALONE} answers the same) | {together:.1f} | {together / alone:.1f} |")


def sharing(target: Path, questions: Sequence[EvalQuestion]) -> None:
    """What is saved where prompts share their opening and rows that have ended are taken out, in batches of 64."""
    torch.set_num_threads(1)
    local = load_local(str(target), None)
    form = local.form or written_form(local.processor)
    ways = {
        name: replace(local, form=form.model_copy(update={"shares": shares}))
        for name, shares in (("each prompt by itself", False), ("openings shared, ended rows out", True))
    }
    asks = asks_of(questions, ASKS)
    chosen = [each for each in questions if each.task == "classification"][: ASKS // 4]
    scored = [
        (Ask(ask_id=each.key, text=prompt_of(each, "probe"), image=each.picture), option)
        for each in chosen
        for option in each.options
    ]
    print("\n| in batches of 64 | answers a second | options scored a second |\n|---|---|---|")
    said: dict[str, dict[str, str]] = {}
    values: dict[str, list[float]] = {}
    for name, way in ways.items():
        rate(way, asks[:16], batch=64)
        answered, said[name] = rate(way, asks, batch=64)
        began = clock(way)
        values[name] = [value for _, value in LocalResponder(way, batch=64).log_likelihood(scored)]
        print(f"| {name} | {answered:.1f} | {len(scored) / (clock(way) - began):.1f} |", flush=True)
    alone, shared = said.values()
    same = sum(shared[key] == text for key, text in alone.items())
    apart = max(abs(one - other) for one, other in zip(*values.values(), strict=True))
    print(f"\n{same} of {len(alone)} answers the same; likelihoods differ by at most {apart:.1e} nats a token")


def scoring(questions: Sequence[EvalQuestion], facts: dict[str, AskedFact]) -> None:
    """Seconds to score 24,000 replies of all kinds, and to make all figures of them with their intervals."""
    rng = random.Random(7)
    answers = [question.answer for question in questions]
    values = values_of(facts.values())
    many = [questions[number % len(questions)] for number in range(PREDICTIONS)]
    kinds = ("{right}", "It is {right}, I think.", "{other}", "I cannot tell who this is.", "the the the {other} of")
    replies = []
    for question in many:
        said = rng.choice(kinds).format(right=question.answer, other=rng.choice(answers))
        replies.append(Reply(ask_id=question.key, text=rng.choice("ABCD") if question.options else said))
    began = time.perf_counter()
    rows = []
    for number, (question, reply) in enumerate(zip(many, replies, strict=True)):
        likelihoods = OPTION_SCORES if question.options else {}
        row = score(question, reply, prompt=question.text, values=values, likelihoods=likelihoods, nll=1.0)
        copy = number // len(questions)
        rows.append(
            row.model_copy(update={"sample_id": f"{row.sample_id}~{copy}", "subject_id": f"{number % SUBJECTS:03d}"})
        )
    scored = time.perf_counter()
    figures = all_metrics(rows, Place("personalized", None, ""))
    ended = time.perf_counter()
    print("\n| what | seconds |\n|---|---|")
    print(f"| score {PREDICTIONS:,} predictions | {scored - began:.2f} |")
    print(f"| {len(figures)} figures of {SUBJECTS} subjects, each with its interval | {ended - scored:.2f} |")
    print(f"| together | {ended - began:.2f} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path)
    build = parser.parse_args().build
    hub = build / "hub"
    facts = read_facts(hub)
    cut = Slice("personalized", None, read_roles(hub, "personalized", None))
    questions, _ = read_questions(hub, facts, cut, tasks=TASKS, modalities=MODALITIES)
    generation(build / "target", questions)
    sharing(build / "target", questions)
    scoring(questions, facts)


if __name__ == "__main__":
    main()

"""Checks at load: what a family does with texts, pictures and batches is tried in about ten small passes."""

import logging
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from schemas.errors import BadInput, first_line
from schemas.protocols.prompt_form import (
    ANSWER,
    QUESTION,
    PromptForm,
    adds_special,
    answered_text,
    prompt_text,
    special_tokens,
    written_form,
)
from unlearn.models.anatomy import anatomy_of, language_linears
from unlearn.models.encoding import pad_rows, processed
from unlearn.models.families import OVERRIDES, Family

if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import PreTrainedModel, ProcessorMixin

log = logging.getLogger(__name__)

VERSION = 2
"""Raised when the checks find out something else; results that are kept are found out anew then."""
LONGER = QUESTION + " And when was that, and who was there with them?"
Row = dict[str, Tensor]


def settle(model: "PreTrainedModel", processor: "ProcessorMixin", *, where: str) -> Family:
    """What a model and its processor are like. The model is in eval mode, on its device, without an adapter.

    Raises BadInput, in one line, for a model that cannot serve: an encoder-decoder, one that takes no text without a
    picture, one whose states depend on what follows, a processor that takes no picture or writes answers otherwise than
    its tokenizer, or a template that does not render.
    """
    family = anatomy_of(model, where=where)
    form = written_form(processor, where=where)
    looks = getattr(processor, "image_processor", None) is not None
    placeholders: tuple[str, ...] = ()
    if looks:
        form, placeholders = picture_form(processor, form, where=where)
    else:
        form = form.model_copy(update={"text_by_processor": False})
    family = family.model_copy(update={"placeholders": placeholders, "pictures": looks})
    ask = _Asker(model, processor, form)
    shown, text = ask.row(QUESTION, _picture(1) if looks else None), ask.row(QUESTION, None)
    answered = ask.row(QUESTION, _picture(1) if looks else None, answer=ANSWER)
    _check_answer(processor, form, answered, shows=looks, where=where)
    with torch.no_grad():
        notes, untrained = _linears(model, family, ask, shown, text, where=where)
        _check_causal(ask, shown, answered, where=where)
        if looks and _same(ask.logits(shown)[:, -1], ask.logits(ask.row(QUESTION, _picture(2)))[:, -1], exactly=True):
            notes.append("another picture changed nothing in the checks: it may not look at pictures at all")
        plain, narrow = _head(model, family, ask, answered)
        rows = [shown, ask.row(LONGER, _picture(3, (40, 90)) if looks else None)]
        stacked = all(_batch_agrees(ask, rows, side=side) for side in ("left", "right"))
        mixed = stacked and _batch_agrees(ask, [shown, ask.row(LONGER, None)], side="right")
    if not stacked:
        notes.append("rows of different pictures cannot be padded to one batch; prompts with pictures are asked singly")
    if not narrow:
        notes.append("the output layer cannot be run at answer positions only; full logits are computed")
    if form.chat == "bare":
        notes.append("there is no chat template: the prompt is the question and a line break")
    if form.thinking == "off":
        notes.append("its template can think: thinking is off in training, likelihoods and answers")
    if family.left_out:
        notes.append(f"{family.left_out} tensors of experts are no linear layers: LoRA leaves them out")
    found = family.model_copy(
        update={
            "form": form.model_copy(update={"stacked": stacked}),
            "plain_head": plain,
            "narrow": narrow,
            "mixed": mixed,
            "why_untrained": untrained,
            "notes": tuple(notes),
        }
    )
    return found.model_copy(update=OVERRIDES.get(family.model_type, {}))


def picture_form(processor: "ProcessorMixin", form: PromptForm, *, where: str) -> tuple[PromptForm, tuple[str, ...]]:
    """The form with how pictures are handed over, and the tokens that stand for them.

    Raises BadInput for a processor that takes no picture, or none of whose tokens stands for it.
    """
    image_token = str(getattr(processor, "image_token", "") or "")
    before = ("", f"{image_token}\n") if form.chat == "bare" and image_token else ("",)
    reasons: list[str] = []
    for prefix, nested in product(before, (True, False)):
        each = form.model_copy(update={"before_picture": prefix, "nested_images": nested})
        try:
            text = prompt_text(processor, each, QUESTION, shows=True)
            row = processed(processor, each, text, _picture(1))
        except Exception as error:  # noqa: BLE001 - processors refuse what they do not know in any way they like
            reasons.append(first_line(error, most=160))
            continue
        tokens = _picture_tokens(processor, each, row)
        if not tokens:
            reasons.append("no token stands for the picture")
            continue
        longer = processed(processor, each, prompt_text(processor, each, LONGER, shows=True), _picture(1))
        names = tuple(name for name in row if _per_token(name, row) and _per_token(name, longer))
        if any(row[name].is_floating_point() for name in row if name not in names):
            by_processor = _takes_text(processor, each)
            return each.model_copy(update={"per_token": names, "text_by_processor": by_processor}), tokens
        reasons.append("it gives no pixels")
    raise BadInput(where, f"its processor takes no picture ({reasons[0]})", "mend the processor's files in the folder")


def _per_token(name: str, row: Row) -> bool:
    return row[name].dim() >= 2 and row[name].shape[:2] == row["input_ids"].shape


def _picture_tokens(processor: "ProcessorMixin", form: PromptForm, row: Row) -> tuple[str, ...]:
    tokenizer = processor.tokenizer
    plain = special_tokens(processor, prompt_text(processor, form, QUESTION, shows=False))
    known = {tokenizer.bos_token, tokenizer.eos_token, *plain}
    added = tokenizer.added_tokens_decoder
    ids = cast("list[int]", row["input_ids"][0].tolist())
    written = [str(tokenizer.convert_ids_to_tokens(each)) for each in ids if each in added]
    return tuple(dict.fromkeys(token for token in written if token not in known))


def _takes_text(processor: "ProcessorMixin", form: PromptForm) -> bool:
    """Whether the processor takes texts without a picture, and gives the tokenizer's tokens for them."""
    text = prompt_text(processor, form, QUESTION, shows=False)
    by_tokenizer = processed(processor, form.model_copy(update={"text_by_processor": False}), text, None)
    try:
        found = processed(processor, form.model_copy(update={"text_by_processor": True}), text, None)
    except Exception:  # noqa: BLE001 - as in picture_form
        return False
    same = found["input_ids"].tolist() == by_tokenizer["input_ids"].tolist()
    return same and all(_per_token(name, found) for name in found)


class _Asker:
    """A model with its processor, asked one row at a time."""

    def __init__(self, model: "PreTrainedModel", processor: "ProcessorMixin", form: PromptForm) -> None:
        self.model, self.processor, self.form = model, processor, form
        self.pad = int(processor.tokenizer.pad_token_id or 0)

    def row(self, text: str, picture: "Image | None", *, answer: str = "") -> Row:
        prompt = prompt_text(self.processor, self.form, text, shows=picture is not None)
        whole = answered_text(self.form, prompt, answer, closed=True) if answer else prompt
        return processed(self.processor, self.form, whole, picture)

    def logits(self, row: Row) -> Tensor:
        """[rows, length, vocab]."""
        return cast(Tensor, self.model(**self.place(row)).logits)

    def place(self, row: Row) -> Row:
        kind, device = self.model.dtype, self.model.device
        return {n: t.to(device, kind) if t.is_floating_point() else t.to(device) for n, t in row.items()}


def _check_answer(processor: "ProcessorMixin", form: PromptForm, row: Row, *, shows: bool, where: str) -> None:
    """Raise BadInput for a processor whose tokens of an answer, or after it, are not those of its tokenizer."""
    prompt = prompt_text(processor, form, QUESTION, shows=shows)
    prompt_ids, ids = (
        processor.tokenizer(text, add_special_tokens=adds_special(processor, text))["input_ids"]
        for text in (prompt, answered_text(form, prompt, ANSWER, closed=True))
    )
    kept = len(ids) - len(prompt_ids)
    if row["input_ids"][0].tolist()[-kept:] != ids[-kept:]:
        found = "its processor writes an answer, or what follows it, otherwise than its tokenizer"
        raise BadInput(where, found, "name a model whose prompts are plain text and a picture")


def _check_causal(ask: _Asker, prompt: Row, answered: Row, *, where: str) -> None:
    """Raise BadInput for a model whose states of a prompt depend on the answer after it (prefix language models)."""
    length = prompt["input_ids"].shape[1]
    if not torch.equal(answered["input_ids"][:, :length], prompt["input_ids"]):
        return  # the tokenizer merges across the border, so there is nothing to compare
    if not _same(ask.logits(prompt)[:, -1], ask.logits(answered)[:, length - 1]):
        found = "looks ahead: what it makes of a prompt depends on the answer after it"
        raise BadInput(where, found, "name a causal language model")


def _linears(
    model: "PreTrainedModel", family: Family, ask: _Asker, shown: Row, text: Row, *, where: str
) -> tuple[list[str], str]:
    """What is to be said of the linear layers, and why they cannot be trained, or "". Refuses what reads no text."""
    linears = set(language_linears(model, family))
    try:
        of_text = _fired(model, lambda: ask.logits(text))
    except Exception as error:
        reason = first_line(error, most=120)
        found = f"takes no text without a picture ({reason})"
        raise BadInput(where, found, "name a model that also reads text alone") from error
    of_both = of_text | _fired(model, lambda: ask.logits(shown))
    notes = []
    if silent := linears - of_both:
        notes.append(f"{len(silent)} of {len(linears)} language linears did not run in the checks (experts not chosen)")
    if with_picture := (linears & of_both) - of_text:
        notes.append(f"{len(with_picture)} language linears run with a picture only (cross attention)")
    outside = sorted(of_text - linears - {family.head})
    return notes, f"runs linear layers outside of {family.language} on text, such as {outside[0]}" if outside else ""


def _fired(model: nn.Module, run: Callable[[], Tensor]) -> set[str]:
    """Names of the linear layers that run."""
    seen: set[str] = set()
    hooks = [
        module.register_forward_hook(lambda *_, name=name: seen.add(name))
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    ]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return seen


class _Picks(threading.local):
    """By output layer, what it is to see, of each thread: several may run one model (unlearn/training/lanes.py)."""

    def __init__(self) -> None:
        self.of: dict[nn.Module, Callable[[Tensor], Tensor]] = {}


_picks = _Picks()
_attaching = threading.Lock()


@contextmanager
def narrowed(head: nn.Module, pick: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """The model's own forward pass, but its output layer sees what `pick` takes of hidden states [rows, length, n].

    So whatever the family does to logits, before or after, applies. For this thread alone.
    """
    with _attaching:
        if not any(hook is _cut for hook in head._forward_pre_hooks.values()):
            head.register_forward_pre_hook(_cut)
    _picks.of[head] = pick
    try:
        yield
    finally:
        del _picks.of[head]


def _cut(head: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    pick = _picks.of.get(head)
    return args if pick is None else (pick(args[0]), *args[1:])


def _head(model: "PreTrainedModel", family: Family, ask: _Asker, row: Row) -> tuple[bool, bool]:
    """Whether logits are weight times hidden state and nothing else, and whether the head can be run narrowed."""
    head = model.get_submodule(family.head)
    caught: list[Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, args: caught.append(args[0]))
    logits = ask.logits(row)
    hook.remove()
    hidden, weight = caught[0], head.weight
    plain = hidden.shape[:2] == logits.shape[:2] and _same(hidden @ cast(Tensor, weight).T, logits)
    last = logits.shape[1] - 1
    positions = torch.tensor([last - 4, last - 3, last], device=logits.device)
    try:
        with narrowed(head, lambda hidden: hidden[:, positions]):
            few = ask.logits(row)
    except (RuntimeError, IndexError, ValueError):
        return plain, False
    return plain, few.shape[1] == 3 and _same(few[0], logits[0, positions])


def _batch_agrees(ask: _Asker, rows: Sequence[Row], *, side: str) -> bool:
    """Whether rows that are padded on one side and joined give the logits of single rows."""
    alone = torch.cat([ask.logits(row)[:, -1] for row in rows])
    try:
        whole = ask.logits(pad_rows(rows, ask.form.per_token, pad=ask.pad, side=side))
    except (RuntimeError, IndexError, ValueError, TypeError):
        return False
    if side == "left":
        return _same(whole[:, -1], alone)
    ends = [row["input_ids"].shape[1] - 1 for row in rows]
    return _same(whole[torch.arange(len(rows)), ends], alone)


def _same(one: Tensor, other: Tensor, *, exactly: bool = False) -> bool:
    """Equal up to rounding in the tensors' precision, in deviations of the logits."""
    if exactly:
        return torch.equal(one, other)
    bound = 2e-3 if one.dtype == torch.float32 else 0.1
    return bool((one.float() - other.float()).abs().max() <= bound * max(1.0, float(other.float().std())))


def _picture(seed: int, size: tuple[int, int] = (64, 48)) -> "Image":
    from PIL import Image

    rng = random.Random(seed)
    small = Image.new("RGB", (4, 4))
    small.putdata([(rng.randrange(256), rng.randrange(256), rng.randrange(256)) for _ in range(16)])
    return small.resize(size, Image.Resampling.NEAREST)

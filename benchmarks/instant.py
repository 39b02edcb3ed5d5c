"""A responder that answers at once from a build's own tables: it shows what a build costs besides its model."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from curation.probing.prompt import probe_prompt
from schemas.protocols.responder import Ask, Decoding, Reply
from schemas.records.build_rows import Fact, Portrait, Question
from schemas.storage.tables import read_records

SILENCE = "I cannot tell who this is."


class InstantResponder:
    """Knows a fixed share of the facts, by name and by face; holds the answers of one shard at a time."""

    identity = "instant"

    def __init__(self, build: Path, *, share: float, batch: int = 0) -> None:
        self._build, self._share, self._batch, self._shard = build, share, str(batch), -1
        self._answers: dict[tuple[str, bytes], str] = {}

    def answer(self, asks: Iterable[Ask], decoding: Decoding) -> Iterator[Reply]:
        """One reply per ask, in order. Shards are asked one after the other; an unknown prompt opens the next one."""
        for ask in asks:
            key = (ask.text, hashlib.sha1(ask.image).digest() if ask.image else b"")
            if (ask.text, b"?") not in self._answers:
                self._load(self._shard + 1)
            yield Reply(ask_id=ask.ask_id, text=self._answers.get(key, SILENCE))

    def _load(self, shard: int) -> None:
        name = f"{shard:05d}.parquet"
        questions = self._build / "questions" / self._batch / f"questions-{name}"
        if not questions.exists():
            raise LookupError(f"{questions}: no shard is left that could answer")
        self._shard, self._answers = shard, {}
        known = {
            fact.sample_id: fact.answer
            for fact in read_records(self._build / "facts" / self._batch / f"facts-{name}", Fact)
            if int(hashlib.sha1(fact.sample_id.encode()).hexdigest()[:8], 16) < self._share * 16**8
        }
        faces = {
            portrait.subject_id: hashlib.sha1(portrait.content).digest()
            for portrait in read_records(self._build / "screen" / self._batch / f"portraits-{name}", Portrait)
            if portrait.view == "001"
        }
        for question in read_records(questions, Question):
            if question.task != "generation":
                continue
            for wording in (question.text, *question.paraphrases):
                prompt = probe_prompt(wording, question.modality)
                self._answers[prompt, b"?"] = ""
                if question.sample_id in known:
                    face = b"" if question.modality == "qa" else faces.get(question.subject_id, b"-")
                    self._answers[prompt, face] = known[question.sample_id]

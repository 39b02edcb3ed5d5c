"""One reply to one scored row: outcome, chosen letter, likeness to the answer, refusals, gibberish."""

from eval.scores.choice import parse_choice
from eval.scores.outcome import outcome
from eval.scores.score_reply import score
from eval.scores.similarity import exact_match, normalised_exact_match, rouge_l

__all__ = ["exact_match", "normalised_exact_match", "outcome", "parse_choice", "rouge_l", "score"]

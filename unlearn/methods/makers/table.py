"""The table of makers, by the name that a row of the table of methods gives (`makes`)."""

from unlearn.methods.makers.dampening import dampened
from unlearn.methods.makers.editing import null_space_edited, zeroed_values
from unlearn.methods.makers.maker import Maker
from unlearn.methods.makers.prompts import in_context, oracle_fact, oracle_false, refused, refused_by_words, soft, told
from unlearn.methods.makers.redirection import redirected_layer
from unlearn.methods.makers.steering import corrupted, erased, rotated
from unlearn.methods.makers.task_vectors import negated, state_arithmetic

MAKERS: dict[str, Maker] = {
    "ssd": dampened,
    "task-vector": negated,
    "msa": state_arithmetic,
    "asru-redirect": redirected_layer,
    "alphaedit": null_space_edited,
    "zerounlearn": zeroed_values,
    "guard-it": rotated,
    "mllmeraser": erased,
    "eco": corrupted,
    "curate": refused,
    "curate-text": refused_by_words,
    "icul": in_context,
    "prompt-soft": soft,
    "prompt-told": told,
    "oracle-fact": oracle_fact,
    "oracle-false": oracle_false,
}

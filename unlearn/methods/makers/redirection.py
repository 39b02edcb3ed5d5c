"""ASRU's first stage in closed form: forget prompts are moved in one layer towards where a model declines to answer."""

import torch
from torch import Tensor

from unlearn.methods.hidden_states import unanswerable
from unlearn.methods.makers.closed_forms import redirected
from unlearn.methods.makers.maker import Candidates, Given, Made, edit
from unlearn.methods.makers.states import end_states
from unlearn.weights.covariances import layer_values, to_answers


def declining(given: Given, layer: int) -> Tensor:
    """[hidden]: from forget prompts' mean state at their end to that of questions which nobody could answer.

    The paper takes strangers' faces that the model declined to name; ours are people who do not exist, in words.
    """
    declined, forgotten = (
        end_states(given, samples, [layer])[layer].mean(0) for samples in (unanswerable(), given.data.forget)
    )
    return declined - forgotten


def redirected_layer(given: Given) -> Candidates:
    """The edit of one layer's last linear: rank one, so it is a direction and a row; the sweep is over its strength.

    Keys are those of all positions that predict the answer. Its ridge keeps the weight for all other inputs.
    """
    numbers = given.numbers
    layer = given.depth(0.5) if numbers.layer is None else numbers.layer
    path, linear = given.last_linear(layer)
    direction = declining(given, layer)
    gram = torch.zeros(linear.in_features, linear.in_features, dtype=torch.float64)
    forget_sum = torch.zeros(linear.in_features, dtype=torch.float64)
    for role, samples in (("forget", given.data.forget), ("retain", given.data.retain)):
        for batch, values in layer_values(given.network, given.encoder, samples, {path: linear}, side="input"):
            keys = to_answers(values[path], batch).double().cpu()
            gram += keys.T @ keys
            if role == "forget":
                forget_sum += keys.sum(0)
    left, right = redirected(gram, forget_sum, direction, ridge=numbers.ridge)

    def make(strength: float) -> Made:
        tensors = {f"{path}.left": (strength * left).float(), f"{path}.right": right.float()}
        return edit("low_rank", {"direction": strength, "layer": layer}, tensors)

    seen = {"forget": len(given.data.forget), "retain": len(given.data.retain)}
    return Candidates("how far forget states go along the direction", numbers.tried, make, seen)

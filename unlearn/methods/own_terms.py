"""The value of a term of a user's own file: what goes wrong in it is said with the file, the term and what there is."""

from collections.abc import Callable, Iterable

from torch import Tensor

from schemas.errors import BadInput


def own_value(where: str, value: Callable[[], Tensor], *, measured: Iterable[str]) -> Tensor:
    """What `value` returns; raises BadInput where its code fails, or gives no scalar. `where` names file and term."""
    known = f"measured are {', '.join(sorted(measured))}"
    try:
        found: object = value()
    except BadInput:
        raise
    except KeyError as error:
        raise BadInput(where, f"asks for {error}, which is not there", known) from error
    except (IndexError, ArithmeticError, AttributeError, NameError, TypeError, ValueError) as error:
        raise BadInput(where, f"fails with {type(error).__name__}: {error}", f"mend the file; {known}") from error
    if isinstance(found, Tensor) and found.dim() == 0:
        return found
    kind = f"a tensor of shape {list(found.shape)}" if isinstance(found, Tensor) else f"{type(found).__name__}"
    raise BadInput(where, f"gives {kind}, not a scalar tensor", f"end it with .sum() or .mean(); {known}")

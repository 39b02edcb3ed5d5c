"""What is to be audited, as a command or a program says it; nothing is looked at yet."""

from dataclasses import dataclass

from flows.evaluation.evaluate_request import EvaluateRequest


@dataclass(frozen=True)
class AuditRequest:
    """What is audited, against what, and for how long."""

    asked: EvaluateRequest
    """The model and the setting; of it tasks, modalities, attacks and figures of one's own are not read."""
    target: str = ""
    """The model before unlearning; "" for none, so that only the control stands beside."""
    oracle: bool = False
    """Teach the embedded world's oracle for the control; otherwise it is facts that the target did not know."""
    routes: tuple[str, ...] = ()
    """By name; all of them, in order of yield, where none is named."""
    minutes: float | None = None
    """For the routes on all models together; teaching an oracle comes on top. None: as long as it takes."""

"""Several processes of one run, as `accelerate launch` starts them: all compute, one writes."""

import os

from schemas.errors import BadInput


def processes() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def writes() -> bool:
    """Whether this is the process that writes files."""
    return os.environ.get("RANK", "0") == "0"


def check_device(device: str) -> None:
    """Raise BadInput for a device that this machine does not have, naming those that it has."""
    if device == "cpu":
        return
    import torch

    kind = torch.accelerator.current_accelerator(check_available=True)
    numbered = [] if kind is None else [f"{kind.type}:{each}" for each in range(torch.accelerator.device_count())]
    there = ["cpu", *([kind.type] if kind is not None and numbered else []), *numbered]
    if device not in there:
        raise BadInput(f"device {device!r}", "is not on this machine", f"name one that is: {', '.join(there)}")


def own_device(device: str) -> str:
    """The device of this process: of several GPUs its own."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" and processes() > 1 else device


def wait_for_all(device: str) -> None:
    """Go on when every process has come here."""
    if processes() > 1:
        from accelerate import PartialState

        PartialState(cpu=device == "cpu").wait_for_everyone()


def refuse_several(what: str) -> None:
    """Raise BadInput where something is done by one process alone."""
    if processes() > 1:
        raise BadInput(what, f"was started in {processes()} processes, and runs in one", "start it without accelerate")

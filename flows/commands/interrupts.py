"""Ctrl-C: never lost, and over within seconds, whatever library is at work."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

INTERRUPTED = 130
"""The exit status."""
LONGEST_S = 2.5
"""How long what was interrupted may take to end in order. Everything that is written stands a kill."""


def heed_lost_interrupts() -> None:
    """Interrupt again where Ctrl-C fell into a finalizer or a weak reference's callback: Python drops what these raise.

    See https://docs.python.org/3/library/sys.html#sys.unraisablehook.
    """
    before = sys.unraisablehook

    def again(lost: "UnraisableHookArgs") -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            # Later, so that it does not fall into this hook; a real signal, so that it ends a sleep.
            threading.Timer(0.01, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
        else:
            before(lost)

    sys.unraisablehook = again


@contextmanager
def ending_soon(last_words: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C end this process LONGEST_S later at the latest, with `last_words` and status 130.

    The operating system's signal is seen by a thread, since Python's own handler waits for the call that is being made
    (the reading of large weights, a step of a large model), and Python's end waits for the threads of pools.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    seen = threading.Event()

    def watch() -> None:
        while signal.SIGINT not in (arrived := os.read(reading, 64)):
            if not arrived:
                os.close(reading)
                return  # the command has ended
        seen.set()
        threading.Event().wait(LONGEST_S)
        last_words()
        os._exit(INTERRUPTED)

    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        if not seen.is_set():
            os.close(writing)

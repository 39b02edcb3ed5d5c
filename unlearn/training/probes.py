"""Probes: what is found out about forget and retain samples while a run goes on, as records."""

from schemas.storage.tables import Record


class Probe(Record):
    """What a probe found on a sample of each set; shares in 0-1, NLL in nats per answer token."""

    forget_exact: float
    forget_nll: float
    retain_exact: float
    retain_nll: float
    choosing_exact: float | None = None
    """Of further samples kept from training, by which weights and numbers are chosen; None where none are kept."""
    repetition: float
    """Share of retain samples whose greedy words say the one before once more, where the answer does not."""
    forget_right: tuple[int, ...] = ()
    """Exact answers by subject, in the order of Asked.subjects."""
    retain_right: tuple[int, ...] = ()

    @property
    def kept(self) -> float:
        """The share of retained answers by which weights and numbers are chosen."""
        return self.retain_exact if self.choosing_exact is None else self.choosing_exact


class Asked(Record):
    """How many samples of each subject the probes of one run look at."""

    subjects: tuple[str, ...] = ()
    """Subject ids, sorted."""
    forget: tuple[int, ...] = ()
    retain: tuple[int, ...] = ()

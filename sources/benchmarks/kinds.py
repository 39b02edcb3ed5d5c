"""Which benchmark a folder holds, by its configs and columns, and the reader of each."""

from collections.abc import Callable, Mapping

from schemas.errors import BadInput
from schemas.records.adopted import Adopted, BenchmarkKind
from sources.benchmarks.mllmu_bench import read_mllmu_bench
from sources.benchmarks.raw_rows import BenchmarkFolder
from sources.benchmarks.rwku import read_rwku
from sources.benchmarks.tofu import read_tofu
from sources.benchmarks.umu_bench import read_umu_bench

READERS: Mapping[BenchmarkKind, Callable[[BenchmarkFolder], Adopted]] = {
    "mllmu_bench": read_mllmu_bench,
    "umu_bench": read_umu_bench,
    "rwku": read_rwku,
    "tofu": read_tofu,
}


def kind_of(folder: BenchmarkFolder) -> BenchmarkKind:
    """The kind, by what only that benchmark has. Raises BadInput, naming the kinds, where none fits."""
    configs = set(folder.configs)
    if {"forget_target", "forget_level2"} <= configs:
        return "rwku"
    if "full" in configs and any(name.startswith("forget") for name in configs):
        return "tofu"
    if "Full_Set" in configs:
        first = next(folder.rows("Full_Set"), None)
        if first is not None and "Classification_Task" in first.cells:
            return "mllmu_bench"
        if first is not None and "Classify" in first.cells:
            return "umu_bench"
    found = f"is no benchmark that can be told by its files ({', '.join(folder.configs[:6])})"
    raise BadInput(str(folder.path), found, f"name its kind: --kind {', '.join(READERS)}, or FILE.py:NAME of a reader")

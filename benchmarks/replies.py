"""What evaluation takes replies for, against what they are: the corpus of tests/worlds/data/replies.jsonl.

`python -m benchmarks.replies [--part NAME] [--wrong] [--baseline-root FOLDER]` prints precision and recall by outcome,
of this code and, with `--baseline-root`, of a checkout of another commit (git worktree add FOLDER 43ebe3d).
Wanted: at least 97 % of the replies right; of the usual "I don't know" wordings (kinds M5 and M5 with a language,
outcome refusal) at least 97 % refusals for five answer types.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
USUAL_TYPES = ("place", "occupation", "birthday", "height", "spouse")
"""Questions of five answer types, for which every usual refusal is tried."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("open", "held", "late", "last", "fresh"))
    parser.add_argument("--wrong", action="store_true", help="list what is taken for something else")
    parser.add_argument("--baseline-root", type=Path, help="a checkout of an older commit, to compare with")
    parser.add_argument("--found", action="store_true", help="only write what was found as JSON (used by itself)")
    given = parser.parse_args()
    if given.found:
        json.dump(_found(), sys.stdout)
        return
    from tests.worlds.reply_corpus import corpus

    rows = corpus()
    roots = {"this code": ROOT} | ({"baseline": given.baseline_root.resolve()} if given.baseline_root else {})
    for name, root in roots.items():
        judged, usual = _judged_by(root)
        pairs = [
            (row, found)
            for row, found in zip(rows, judged, strict=True)
            if given.part is None or row.part == given.part
        ]
        print(f"{name}: {sum(row.outcome == found for row, found in pairs)} of {len(pairs)} right")
        _table([(row.outcome, found) for row, found in pairs])
        print(f"  usual refusals: {usual.count('refusal')} of {len(usual)} (five answer types)")
        if given.wrong:
            for row, found in pairs:
                if row.outcome != found:
                    print(f"  {row.kind:6} {row.question:10} {row.outcome:>12} taken for {found:12} {row.reply!r}")


def _judged_by(root: Path) -> tuple[list[str], list[str]]:
    """Outcomes of the corpus and of the usual refusals under the code of `root`, in a process of its own."""
    paths = os.pathsep.join((str(root), str(ROOT)))
    command = [sys.executable, str(ROOT / "benchmarks" / "replies.py"), "--found"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, check=True)
    found = json.loads(done.stdout)
    return found["corpus"], found["usual"]


def _found() -> dict[str, list[str]]:
    import tests

    tests.__path__ = [str(ROOT / "tests")]  # this corpus, whatever the other checkout has of that name
    from tests.worlds.reply_corpus import Kept, corpus, questions, scored, values

    asked, world = questions(), values()
    rows = corpus()
    usual = dict.fromkeys(row.reply for row in rows if row.kind.startswith("M5") and row.outcome == "refusal")
    return {
        "corpus": [scored(row, asked[row.question], world).outcome for row in rows],
        "usual": [
            scored(Kept(name, "", reply, "refusal", "M5", "open"), asked[name], world).outcome
            for reply in usual
            for name in USUAL_TYPES
        ],
    }


def _table(pairs: list[tuple[str, str]]) -> None:
    """Precision and recall by outcome."""
    both, wanted, given = (
        Counter(a for a, b in pairs if a == b),
        Counter(a for a, _ in pairs),
        Counter(b for _, b in pairs),
    )
    print(f"  {'outcome':14}{'replies':>8}{'precision':>11}{'recall':>9}")
    for name in sorted(wanted | given):
        precision = f"{both[name] / given[name]:.1%}" if given[name] else "-"
        recall = f"{both[name] / wanted[name]:.1%}" if wanted[name] else "-"
        print(f"  {name:14}{wanted[name]:8}{precision:>11}{recall:>9}")


if __name__ == "__main__":
    main()

"""What a reader is told of the methods: lists, JSON and docs/methods.md, all from the one table, without torch.

`python -m unlearn.methods.catalogue > docs/methods.md` writes the page; a test compares the two.
"""

from collections.abc import Mapping

from pydantic import JsonValue

from unlearn.methods.rows.method import Method
from unlearn.methods.table import METHODS

HEAD = """# The methods

Written from the table of methods by `python -m unlearn.methods.catalogue`; a test compares the two. Every method is a
name for `ppubench unlearn --method`, and for a study's `methods`.

*needs*: what a method takes besides the forget samples; "reference" is the model before unlearning, asked once per
sample. *read*: whether formula and reduction were read in the paper or in official code ("paper"), or in other
people's accounts of it ("accounts"). *cost*: seconds of a step over those of gd on the same samples, on a CPU, where
it was measured (`python -m benchmarks.train_step`).

| method | what it does | paper | kind | needs | read | cost |
|---|---|---|---|---|---|---|
"""
CHOICES = """
## Choices that are ours

Where a paper leaves something open, or its code does what its text does not say, this is what runs here.

"""


def needed(method: Method) -> str:
    """What the method takes besides forget samples, one line."""
    return ", ".join(method.needs) or "-"


def described(method: Method) -> Mapping[str, JsonValue]:
    """A row of the table as JSON."""
    paper = method.paper
    return {
        "title": method.title,
        "paper": None
        if paper is None
        else {"title": paper.title, "year": paper.year, "arxiv": paper.arxiv, "venue": paper.venue},
        "kind": method.kind,
        "needs": list(method.needs),
        "terms": list(method.terms),
        "verified": method.verified,
        "ours": list(method.ours),
        "cost": method.cost,
    }


def page() -> str:
    """docs/methods.md."""
    return HEAD + "".join(map(_line, METHODS.values())) + CHOICES + "".join(map(_choices, METHODS.values()))


def _line(method: Method) -> str:
    paper = method.paper
    cited = ""
    if paper is not None:
        place = f"[{paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})" if paper.arxiv else paper.venue
        cited = f"{place} ({paper.year})"
    cost = "" if method.cost is None else f"{method.cost:.2f}"
    read = "paper" if method.verified else "accounts"
    cells = (f"`{method.name}`", method.title, cited, method.kind, needed(method), read, cost)
    return f"| {' | '.join(cells)} |\n"


def _choices(method: Method) -> str:
    return f"- `{method.name}`: {' '.join(method.ours)}\n" if method.ours else ""


if __name__ == "__main__":
    print(page(), end="")

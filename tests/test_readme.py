"""The README's first screen: two commands to success. All its blocks are tested with the docs (test_docs.py)."""

from tests.documents import ROOT, blocks


def test_the_readme_shows_exactly_two_make_commands_in_its_first_block() -> None:
    first = next(block for block in blocks(ROOT / "README.md") if block.language == "sh")
    assert [command.split("#")[0].strip() for command in first.commands] == ["make demo", "make test"]

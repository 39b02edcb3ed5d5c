"""Review file: what spreadsheets make of a CSV is read as it was meant, and what cannot be meant is refused."""

from pathlib import Path

import pytest

from curation.review.review_file import read_marks
from schemas.errors import BadInput

HEADER = "place,verdict,reason,subject,sample_id,sample,shown"
SAMPLE = "demo.x3f2a9c01 seed 7: 2 of 9 known"
ACCEPTED = f"1,accept,,Zoë Ångström,Zoë_Ångström_03,{SAMPLE},x0e1"
REJECTED = f'2,reject,"wrong, I think",Ada Lind,Ada_Lind_12,{SAMPLE},x77'


def file(folder: Path, *lines: str, end: str = "\n", encoding: str = "utf-8", header: str = HEADER) -> Path:
    path = folder / "said.csv"
    path.write_bytes((end.join((header, *lines)) + end).encode(encoding))
    return path


def said(path: Path) -> list[tuple[str, str, str, str]]:
    return [(mark.sample_id, mark.verdict, mark.reason, mark.shown) for mark in read_marks(path).judged]


MEANT = [("Zoë_Ångström_03", "accept", "", "x0e1"), ("Ada_Lind_12", "reject", "wrong, I think", "x77")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
def test_encodings_and_line_ends_make_no_difference(tmp_path: Path, end: str, encoding: str) -> None:
    assert said(file(tmp_path, ACCEPTED, REJECTED, end=end, encoding=encoding)) == MEANT


@pytest.mark.parametrize("separator", [";", "\t"], ids=["semicolon", "tab"])
def test_other_separators_are_read(tmp_path: Path, separator: str) -> None:
    lines = [
        line.replace('"wrong, I think"', "wrong# I think").replace(",", separator) for line in (ACCEPTED, REJECTED)
    ]
    path = file(tmp_path, *(line.replace("#", ",") for line in lines), header=HEADER.replace(",", separator))
    assert said(path) == MEANT


def test_a_line_that_names_the_separator_is_passed_over(tmp_path: Path) -> None:
    path = file(tmp_path, HEADER.replace(",", ";"), ACCEPTED.replace(",", ";"), header="sep=;")
    assert said(path) == MEANT[:1]


def test_columns_may_stand_in_any_order_and_some_may_be_gone(tmp_path: Path) -> None:
    path = file(
        tmp_path, f"x0e1,{SAMPLE},Zoë_Ångström_03,note,ACCEPTED ", header="shown,sample,Sample_ID,mine, Verdict "
    )
    assert said(path) == MEANT[:1]


def test_cells_that_a_spreadsheet_would_run_are_read_as_they_were(tmp_path: Path) -> None:
    path = file(tmp_path, f"1,r,'=wrong,A,'-A_01,{SAMPLE},x1")
    assert said(path) == [("-A_01", "reject", "=wrong", "x1")]


def test_lines_without_a_verdict_say_nothing_and_are_counted(tmp_path: Path) -> None:
    found = read_marks(file(tmp_path, ACCEPTED, REJECTED.replace("reject", " "), ",,,,,,", ""))
    assert ([mark.sample_id for mark in found.judged], found.open) == (["Zoë_Ångström_03"], 1)


def test_lines_that_a_spreadsheet_has_shortened_are_filled_up(tmp_path: Path) -> None:
    assert said(file(tmp_path, f"x1,{SAMPLE},A_01,accept", header="shown,sample,sample_id,verdict,reason")) == [
        ("A_01", "accept", "", "x1")
    ]


def test_the_same_verdict_twice_counts_once(tmp_path: Path) -> None:
    found = read_marks(file(tmp_path, ACCEPTED, REJECTED, ACCEPTED))
    assert (len(found.judged), found.repeated) == (2, 1)


def test_contradictory_verdicts_name_both_lines(tmp_path: Path) -> None:
    path = file(tmp_path, ACCEPTED, REJECTED, ACCEPTED.replace("accept", "reject"))
    with pytest.raises(BadInput, match="line 4: says reject of Zoë_Ångström_03, and line 2 says accept; decide"):
        read_marks(path)


def test_a_line_number_is_that_of_the_file_behind_cells_of_several_lines(tmp_path: Path) -> None:
    path = file(tmp_path, REJECTED.replace("wrong, I think", "wrong,\n I\nthink"), ACCEPTED.replace("accept", "maybe"))
    with pytest.raises(BadInput, match="line 5: has the verdict 'maybe'; write accept or reject"):
        read_marks(path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "is no review file: it lacks the columns verdict, sample_id, sample, shown"),
        (b"verdict,sample_id,sample\n", "lacks the column shown"),
        (b"verdict,verdict,sample_id,sample,shown\n", "has the column verdict twice"),
        (b"PK\x03\x04rest", "is a spreadsheet's own format"),
        ("verdict,sample_id\naccept,Zo\u00eb_01\n".encode("latin-1"), "is not UTF-8 text"),
        (f"{HEADER}\n{ACCEPTED},more\n".encode(), "line 2: has 8 cells, and the header 7"),
        (f"{HEADER}\n1,accept,,A,A_01,7,x1\n".encode(), "line 2: column sample: is not the sample of a review"),
    ],
    ids=["empty", "a column lacks", "a column twice", "xlsx", "latin-1", "too many cells", "another sample"],
)  # fmt: skip
def test_what_is_no_review_is_refused(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "said.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=found):
        read_marks(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file; name the CSV"):
        read_marks(tmp_path / "nothing.csv")
    with pytest.raises(BadInput, match="is a folder"):
        read_marks(tmp_path)

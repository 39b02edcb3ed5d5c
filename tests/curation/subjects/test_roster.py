"""Rosters: what a line may say, what is refused with its line, and the maintainer's decisions about doubtful names."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.subjects.roster import Resolution, RosterLine, read_decisions, read_roster, write_doubts
from schemas.errors import BadInput
from tests.documents import ROOT

PPU500 = ROOT / "flows" / "recipes" / "ppu500.csv"
PUBLISHED = ROOT.parent / "shared" / "official" / "roster.csv"


def roster(tmp_path: Path, text: str) -> list[RosterLine]:
    path = tmp_path / "roster.csv"
    path.write_text(text)
    return read_roster(path)


def doubt(name: str) -> Resolution:
    return Resolution(asked=name, qid="", label="", reason="name_ambiguous", note="Q1 (one); Q2 (two)")


def test_a_bare_list_holds_names_and_qids(tmp_path: Path) -> None:
    assert [(line.name, line.qid) for line in roster(tmp_path, "Ann Lee\nQ42\n")] == [("Ann Lee", ""), ("", "Q42")]


def test_a_header_brings_ids_and_ranks(tmp_path: Path) -> None:
    [line] = roster(tmp_path, "subject_id,name,qid,complete_rank\n014,Ann Lee,,3\n")
    assert line == RosterLine(line=2, name="Ann Lee", subject_id="014", complete_rank=3)


def test_empty_lines_are_passed_over_and_the_numbers_are_the_files_own(tmp_path: Path) -> None:
    assert [line.line for line in roster(tmp_path, "\n\nname\n\nAnn Lee\n , \nBo Ek\n".replace(" , ", "  "))] == [5, 7]


def test_a_name_with_a_comma_stands_in_quotes(tmp_path: Path) -> None:
    assert roster(tmp_path, 'name\n"King, Martin"\n')[0].name == "King, Martin"


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    assert roster(tmp_path, "\ufeffname\nAnn Lee\n")[0].name == "Ann Lee"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "is empty"),
        ("name\n", "a header and no line"),
        ("Ann Lee,14\n", "line 1: has several columns and no header"),
        ("name,complet_rank\nAnn,1\n", "line 1: column 'complet_rank' .*did you mean complete_rank"),
        ("subject_id\n001\n", "neither a name nor a qid column"),
        ("name,qid\nAnn\n", "line 2: has 1 cells, the header 2"),
        ("name,qid\nAnn,42\n", "line 2: '42' is no QID"),
        ("name,subject_id\nAnn,7\n", "line 2: '7' is no subject id"),
        ("name,subject_id\nAnn,000\n", "line 2: '000' is no subject id"),
        ("name,complete_rank\nAnn,0\n", "line 2: '0' is no rank"),
        ("name,complete_rank\nAnn,first\n", "line 2: 'first' is no rank"),
        ("name,subject_id\nAnn,007\nBo,0007\n", "line 3: subject_id 7 stands on line 2"),
        ("name,complete_rank\nAnn,2\nBo,2\n", "line 3: complete_rank 2 stands on line 2"),
        ("name,subject_id\n,007\n", "line 2: has neither a name nor a qid"),
        ('name\n"Ann\n', "is not CSV"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(BadInput, match=line):
        roster(tmp_path, text)


def test_a_roster_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        read_roster(tmp_path / "none.csv")
    (tmp_path / "roster.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="UTF-8"):
        read_roster(tmp_path / "roster.csv")


def test_the_published_roster_has_500_subjects_and_the_150_ranks() -> None:
    lines = read_roster(PPU500)
    assert (len(lines), len({line.subject_id for line in lines})) == (500, 500)  # of 001 to 999, with gaps
    assert sorted(line.complete_rank for line in lines if line.complete_rank) == list(range(1, 151))


def test_the_published_roster_is_the_published_data() -> None:
    if not PUBLISHED.exists():
        pytest.skip("needs ../shared/official/roster.csv")
    rows = [row.split(",") for row in PUBLISHED.read_text(encoding="utf-8").splitlines()[1:]]
    ours = [(line.subject_id, line.name, line.complete_rank) for line in read_roster(PPU500)]
    assert ours == [(row[0], row[1], int(row[6]) if row[6].strip() else None) for row in rows]


def test_decisions_that_were_filled_in_stay_when_doubts_are_written_again(tmp_path: Path) -> None:
    path = tmp_path / "resolve.csv"
    write_doubts(path, [doubt("Ann Lee"), doubt("Bo Ek")], {})
    assert read_decisions(path) == {}
    path.write_text(path.read_text().replace("Ann Lee,,", "Ann Lee,Q42,").replace("Bo Ek,,", "Bo Ek,-,"))
    decided = read_decisions(path)
    assert decided == {"Ann Lee": "Q42", "Bo Ek": "-"}
    write_doubts(path, [doubt("Cy Moe")], decided)
    assert read_decisions(path) == decided
    assert "Cy Moe,," in path.read_text()


def test_a_decision_that_is_no_qid_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "resolve.csv"
    write_doubts(path, [doubt("Ann Lee")], {})
    path.write_text(path.read_text().replace("Ann Lee,,", "Ann Lee,the writer,"))
    with pytest.raises(BadInput, match="line 2: 'the writer' is no QID"):
        read_decisions(path)


@given(
    st.dictionaries(
        st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1).map(str.strip).filter(bool),
        st.just("Q7"),
        max_size=5,
    )
)
def test_any_name_survives_the_file(tmp_path_factory: pytest.TempPathFactory, decisions: dict[str, str]) -> None:
    path = tmp_path_factory.mktemp("resolve") / "resolve.csv"
    write_doubts(path, [], decisions)
    assert read_decisions(path) == decisions


@pytest.mark.parametrize(
    "content",
    [
        b"name\tqid\nAnn\tQ42\n", b"name;qid\nAnn;Q42\n", b'\xef\xbb\xbf"Name","QID"\r\nAnn,q42\r\n',
        b"name,qid\nAnn,wd:Q42\n", b"name,qid\nAnn,http://www.wikidata.org/entity/Q42\n",
        b"name,qid\nAnn,https://www.wikidata.org/wiki/Q42#P31\n",
        b"item,itemLabel\nhttp://www.wikidata.org/entity/Q42,Ann\n",
        b'?person\t?personLabel\n<http://www.wikidata.org/entity/Q42>\t"Ann"@en\n',
        b"number,title,pageid,namespace,Wikidata\n1,Ann,7,0,Q42\n",
        b"name,qid,,\nAnn,Q42,,\n", b"name|qid\nAnn|Q42\n", "name,qid\n\u200bAnn,\ufeffQ42\u00a0\n".encode(),
        b"name,qid\nAnn,wikidata.org/wiki/Special:EntityPage/Q42\n", b"name,qid\nAnn,[[d:Q42]]\n",
        b"name,qid\nAnn,https://www.wikidata.org/w/index.php?title=q42&action=history\n",
    ],
    ids=[
        "tabs", "semicolons", "byte order mark and quotes", "wd:", "entity address", "page address", "query service",
        "query service with tabs", "PetScan", "empty columns", "vertical bars", "unseen characters", "entity page",
        "wiki link", "index.php",
    ],
)  # fmt: skip
def test_a_roster_as_people_download_it_is_read(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(content)
    assert [(line.line, line.name, line.qid) for line in read_roster(path)] == [(2, "Ann", "Q42")]


def test_a_table_in_markdown_and_the_line_that_tells_excel_the_separator_are_read(tmp_path: Path) -> None:
    marked = roster(tmp_path, "| name | qid |\n|------|-----|\n| Ann  | Q42 |\n")
    told = roster(tmp_path, "sep=;\r\nname;qid\r\nAnn;Q42\r\n")
    assert [(line.line, line.name, line.qid) for line in (*marked, *told)] == [(3, "Ann", "Q42")] * 2


def test_a_list_under_a_heading_of_the_query_service_is_a_list_of_ids(tmp_path: Path) -> None:
    assert [line.qid for line in roster(tmp_path, "item\nhttp://www.wikidata.org/entity/Q42\n")] == ["Q42"]


def test_a_word_that_heads_downloaded_tables_is_a_name_where_no_ids_follow(tmp_path: Path) -> None:
    assert [line.name for line in roster(tmp_path, "Human\nAnn Lee\n")] == ["Human", "Ann Lee"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("name,qid\nAnn,Q42\n".encode("utf-16"), "UTF-16"),
        (b"Ann;Q42\nBob;Q43\n", "line 1: has several cells parted by semicolons"),
        (b"Ann\tQ42\n", "parted by tabs"),
        (b"name;qid\nAnn\n", "line 2: has 1 cells, the header 2"),
        (b"item,itemLabel\nQ42\n", "line 2: has 1 cells, the header 2"),
        (b"<!DOCTYPE html>\n<p>Ann\n", "is a web page"),
        (b'[{"item": "http://www.wikidata.org/entity/Q42"}]', "is JSON"),
        (b"PK\x03\x04\x14\x00", "is a spreadsheet"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        (b"Ann\nL42\n", "line 2: L42 is no item"),
    ],
    ids=[
        "UTF-16",
        "semicolons",
        "tabs",
        "a short line",
        "a short line of the query service",
        "a web page",
        "JSON",
        "a spreadsheet",
        "a pointer",
        "a lexeme",
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_with_its_separator(content: bytes, found: str, tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=found):
        read_roster(path)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Item:Q42", ""), ("[Q42](https://www.wikidata.org/wiki/Q42)", ""), ("* Q42", ""), ("- wd:q42", ""),
        ("1. Q42", ""), ("Douglas Adams (Q42)", "Douglas Adams"),
        ("[Douglas Adams](https://www.wikidata.org/wiki/Q42)", "Douglas Adams"),
    ],
)  # fmt: skip
def test_an_item_on_a_line_as_people_copy_it_is_read(line: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "people.txt").write_text(f"{line}\n")
    [found] = read_roster(tmp_path / "people.txt")
    assert (found.qid, found.name) == ("Q42", name)


@pytest.mark.parametrize("line", ["Q0", "L42", "https://en.wikipedia.org/wiki/Douglas_Adams", "- Q007"])
def test_what_is_no_item_and_no_name_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "people.txt").write_text(f"{line}\n")
    with pytest.raises(BadInput, match="is no item"):
        read_roster(tmp_path / "people.txt")


@pytest.mark.parametrize("line", ["Sam Clerk (swimmer)", "Jean-Luc Roe", "50 Cent"])
def test_a_name_with_a_bracket_a_dash_or_a_number_stays_a_name(line: str, tmp_path: Path) -> None:
    (tmp_path / "people.txt").write_text(f"{line}\n")
    assert read_roster(tmp_path / "people.txt")[0].name == line

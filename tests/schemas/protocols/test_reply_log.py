"""The log of replies: nothing answered is lost, nothing half-written is believed."""

from pathlib import Path

from schemas.protocols.reply_log import AnswerLog
from schemas.protocols.responder import Reply


def filled(path: Path, *names: str) -> bytes:
    with AnswerLog(path, key="k") as log:
        for name in names:
            log.save(Reply(ask_id=name, text=f"answer {name}\nsecond line “ü”"))
    return path.read_bytes()


def test_saved_replies_are_read_back(tmp_path: Path) -> None:
    filled(tmp_path / "log.jsonl", "a", "b")
    with AnswerLog(tmp_path / "log.jsonl", key="k") as log:
        assert len(log) == 2
        assert log.reply("b") == Reply(ask_id="b", text="answer b\nsecond line “ü”")
        assert log.has("a")
        assert not log.has("c")
        assert log.reply("c") is None


def test_a_reply_is_on_disk_before_the_log_is_closed(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "log.jsonl", key="k")
    log.save(Reply(ask_id="a", text="x"))
    with AnswerLog(tmp_path / "log.jsonl", key="k") as reader:
        assert reader.has("a")


def test_a_cut_last_line_is_ignored_wherever_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    whole = filled(path, "a", "b")
    start_of_last = whole[:-1].rindex(b"\n") + 1
    for end in range(start_of_last, len(whole)):
        path.write_bytes(whole[:end])
        with AnswerLog(path, key="k") as log:
            assert (log.has("a"), log.has("b")) == (True, False)
            log.save(Reply(ask_id="b", text="answer b\nsecond line “ü”"))
        assert path.read_bytes() == whole


def test_a_cut_header_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    whole = filled(path, "a")
    path.write_bytes(whole[:7])
    with AnswerLog(path, key="k") as log:
        assert len(log) == 0
    assert path.read_bytes() == whole[: whole.index(b"\n") + 1]


def test_a_log_of_another_key_is_discarded(tmp_path: Path) -> None:
    filled(tmp_path / "log.jsonl", "a")
    with AnswerLog(tmp_path / "log.jsonl", key="other") as log:
        assert not log.has("a")
    with AnswerLog(tmp_path / "log.jsonl", key="other") as log:
        assert len(log) == 0


def test_an_error_is_kept_but_is_no_answer(tmp_path: Path) -> None:
    with AnswerLog(tmp_path / "log.jsonl", key="k") as log:
        log.save(Reply(ask_id="a", text="", error="time-out"))
    with AnswerLog(tmp_path / "log.jsonl", key="k") as log:
        assert not log.has("a")
        assert log.reply("a") == Reply(ask_id="a", text="", error="time-out")
        log.save(Reply(ask_id="a", text="Rome"))
        assert log.has("a")


def test_the_log_makes_its_folder(tmp_path: Path) -> None:
    filled(tmp_path / "deep" / "er" / "log.jsonl", "a")
    assert (tmp_path / "deep" / "er" / "log.jsonl").exists()

"""Reports over folders on disk: two runs without more, and a study that was interrupted."""

import csv
from pathlib import Path

from eval.evaluation_folder import write_evaluation
from eval.report.findings import Evaluated
from flows.experiments.report import write_report
from schemas.records.study import StudyRecord, UnitRecord
from schemas.storage.artifacts import write_json
from tests.worlds.synthetic_results import answers, evaluation


def write(out: Path, *found: Evaluated) -> None:
    for each in found:
        write_evaluation(out / each.record.folder, each.record, each.rows)


def test_a_folder_with_two_runs_alone_gives_a_paired_table(tmp_path: Path) -> None:
    runs = [evaluation("gd", answers(forget=0.5, retain=0.7)), evaluation("npo", answers(forget=0.0, retain=0.7))]
    write(tmp_path / "evaluations", *runs)
    files = write_report([tmp_path / "evaluations"], out=tmp_path / "report")
    assert "npo less gd, in points" in files.html.read_text()
    found = {
        (row["metric"], row["role"], row["modality"]): row
        for row in csv.DictReader((tmp_path / "report" / "differences.csv").open())
    }
    row = found["accuracy", "forget", "qa"]
    assert float(row["value"]) == float(row["right"]) - float(row["left"]) < -0.3
    assert row["real"] == "True"


def test_a_report_of_an_interrupted_study_counts_the_units_that_its_record_lacks(tmp_path: Path) -> None:
    target = evaluation("", answers(forget=1.0, retain=1.0))
    write(tmp_path / "evaluations", target)
    unit = UnitRecord(name="target", method="", setting=None, ratio=None, seed=None, lr=None, status="finished",
                      evaluations=(target.record.folder,))  # fmt: skip
    record = StudyRecord(recipe="small", compare={}, planned=4, units=(unit,))
    write_json(tmp_path / "study.json", record.model_dump(mode="json"))
    files = write_report([tmp_path], out=tmp_path)
    assert "3 of its 4 planned units are missing" in files.html.read_text()

"""Publishing to a loopback Hub with the installed client: one commit, read back, tagged, resumed, refused."""

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from curation.card.card import HAND_WRITTEN
from curation.card.metadata_files import ReleaseFile
from curation.export.batch_parts import EarlierBatch
from curation.export.export import ReleaseRequest, export_release
from curation.export.row_hashes import hash_rows
from flows.publish.build_gate import loading_faults
from flows.publish.publish import PublishRequest, publish_folder
from schemas.dataset.release import Fault as ReleaseFault
from schemas.dataset.release import PublishReport
from schemas.errors import BadInput, Unfinished
from schemas.storage.artifacts import digest
from schemas.storage.tables import file_sha256
from schemas.vocabulary import RATIOS
from sources.hub.download import HubId, fetch_release, quiet_unless_terminal
from tests.documents import ROOT
from tests.servers.hub_server import OTHER, OWNER, READER, Fault, Hub, serve_hub
from tests.servers.waiting import patient, wait_for, wait_while_running
from tests.worlds.eval_world import CARD
from tests.worlds.release_world import CONTACT, linked_copy, replace_text, write_release
from tests.worlds.synthetic_build import make_bundles

REPO = "tester/ppu"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with hub/."""
    folder = tmp_path_factory.mktemp("build")
    write_release(folder / "hub")
    return folder


@pytest.fixture
def build(sound: Path, tmp_path: Path) -> Path:
    return linked_copy(sound, tmp_path / "build")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve_hub() as running:
        yield running


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The client may talk to loopback, with LFS, no waiting between its retries, and no token of this machine."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    quiet_unless_terminal()
    for name in ("base_wait_time", "max_wait_time"):
        _without_waiting(monkeypatch, name)
    monkeypatch.setattr("flows.publish.publish.loading_faults", loaded_once)
    monkeypatch.setattr("yaml.load", parsed_once)


PARSED: dict[tuple[str, object], object] = {}
YAML_LOAD = yaml.load


def parsed_once(text: object, Loader: Any) -> object:
    """What `datasets` reads from a card anew for each of its thirty configs, in a tenth of a second each."""
    if not isinstance(text, str):
        return YAML_LOAD(text, Loader=Loader)
    if (text, Loader) not in PARSED:
        PARSED[text, Loader] = YAML_LOAD(text, Loader=Loader)
    return deepcopy(PARSED[text, Loader])


LOADED: dict[str, list[ReleaseFault]] = {}
"""What `datasets` said of each release that a test of this file published."""


def loaded_once(hub: Path, release: ReleaseFile) -> Iterator[ReleaseFault]:
    """The gate's own loading of every config, which takes seconds, but once for the same front matter and files."""
    data = [(path.relative_to(hub).as_posix(), file_sha256(path)) for path in sorted(hub.rglob("*.parquet"))]
    front_matter = (hub / "README.md").read_text().partition("\n---\n")[0]
    key = digest([front_matter, *(f"{place} {sha}" for place, sha in data)])
    if key not in LOADED:
        LOADED[key] = list(loading_faults(hub, release))
    yield from LOADED[key]


def _without_waiting(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from huggingface_hub.utils import _http

    defaults = _http._http_backoff_base.__kwdefaults__
    assert defaults is not None
    if name in defaults:
        monkeypatch.setitem(defaults, name, 0.01)
    for function in (_http.http_backoff, _http.http_stream_backoff):
        kept = getattr(function, "__wrapped__", function).__kwdefaults__
        if kept is not None and name in kept:
            monkeypatch.setitem(kept, name, 0.01)


def publish(build: Path, hub: Hub, *, repo: str = REPO, token: str | None = OWNER, **options: object) -> PublishReport:
    request = PublishRequest(repo, endpoint=hub.url, token=token, **options)  # type: ignore[arg-type]
    return publish_folder(build, request)


def large_files(folder: Path) -> int:
    return sum(path.suffix == ".parquet" for path in (folder / "hub").rglob("*"))


def test_one_commit_holds_everything_and_is_tagged_and_read_back(build: Path, hub: Hub) -> None:
    [done] = publish(build, hub).repos
    repo = hub.dataset(REPO)
    assert repo.titles == ["initial commit", "Release v1.0.0, by ppubench"]
    assert repo.tags == {"v1.0.0": repo.commits[-1][0]} == {"v1.0.0": done.revision}
    local = {path.relative_to(build / "hub").as_posix() for path in (build / "hub").rglob("*") if path.is_file()}
    assert set(hub.files(REPO)) == local | {".gitattributes"}
    assert (done.status, done.verified_rows) == ("new", done.rows)
    assert done.rows == sum(each.rows for each in hash_rows(build / "hub").values())
    assert not (build / ".publish").exists()


def test_the_published_card_names_its_repo_version_and_contact(build: Path, hub: Hub) -> None:
    publish(build, hub)
    card = hub.files(REPO)["README.md"].decode()
    assert f'load_dataset("{REPO}", "ppu_eval_generation"' in card
    assert 'revision="v1.0.0"' in card
    assert f"write to {CONTACT}" in card
    assert "PATH_OR_HUB_ID" in (build / "hub" / "README.md").read_text()  # the build itself is not touched


def test_unchanged_content_makes_no_commit(build: Path, hub: Hub) -> None:
    publish(build, hub)
    before, sent = list(hub.dataset(REPO).titles), len(hub.uploaded)
    [again] = publish(build, hub).repos
    assert (again.status, again.version, again.verified_rows) == ("unchanged", "1.0.0", None)
    assert (hub.dataset(REPO).titles, len(hub.uploaded)) == (before, sent)


def test_a_dry_run_writes_nothing_and_needs_no_token(build: Path, hub: Hub) -> None:
    report = publish(build, hub, token=None, dry_run=True)
    assert (report.repos[0].status, report.repos[0].revision) == ("new", None)
    assert report.repos[0].rows > 0
    assert hub.repos == {}
    assert all(line.startswith("GET") for line in hub.requests)


@pytest.fixture
def grown(tmp_path: Path) -> tuple[Path, Callable[[], None]]:
    """A build of four subjects, and what adds five as its next batch."""
    bundles, pieces = make_bundles(9), tmp_path / "pieces"
    folder = tmp_path / "grown"

    def export(batch: int) -> None:
        earlier = [EarlierBatch(pieces / "0", lambda: bundles[:4])] if batch else []
        export_release(
            folder / "hub",
            bundles[4:] if batch else bundles[:4],
            ReleaseRequest(target="tiny", ratios=RATIOS, sensitive=CARD.sensitive),
            card=CARD.model_copy(update={"contact": CONTACT}),
            piece=pieces / str(batch),
            earlier=earlier,
        )

    export(0)
    return folder, lambda: export(1)


def test_after_five_subjects_are_added_only_new_and_changed_files_travel(
    grown: tuple[Path, Callable[[], None]], hub: Hub
) -> None:
    build, add = grown
    publish(build, hub)
    first = hub.files(REPO)
    sent = len(hub.uploaded)
    add()
    [done] = publish(build, hub).repos
    assert done.diff is not None
    assert (len(done.diff.subjects.added), len(done.diff.samples.added), done.diff.roles) == (5, 30, ())
    assert (done.version, done.verified_rows) == ("1.1.0", done.rows)
    new = {name for name in done.added if name.endswith(".parquet")}
    assert len(hub.uploaded) - sent == len(new)
    assert large_files(build) == len(new) + sum(name.endswith(".parquet") for name in first)
    assert all("-batch001-" in name for name in new)
    second = hub.files(REPO)
    assert all(second[name] == content for name, content in first.items() if name.endswith(".parquet"))
    assert not [name for name in done.changed if name.endswith(".parquet")]
    assert sorted(hub.dataset(REPO).tags) == ["v1.0.0", "v1.1.0"]


@pytest.mark.slow
def test_the_installed_datasets_loads_both_versions_over_http(
    grown: tuple[Path, Callable[[], None]], hub: Hub, tmp_path: Path
) -> None:
    build, add = grown
    publish(build, hub)
    add()
    publish(build, hub)
    code = f"""
import json, re
from datasets import load_dataset
for revision in ("v1.0.0", "main"):
    rows = load_dataset({REPO!r}, "ppu_eval_generation", split="test", revision=revision)
    streaming = load_dataset({REPO!r}, "cross_image_selective", split="test", revision=revision, streaming=True)
    streamed = next(iter(streaming))
    print(len(rows), rows[1]["image"].size, streamed["image_002"].size)
from huggingface_hub import hf_hub_download
card = open(hf_hub_download({REPO!r}, "README.md", repo_type="dataset")).read()
for snippet in re.findall(r"```python\\n(.*?)```", card, re.DOTALL):
    exec(snippet, {{}})
"""
    env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False, timeout=patient(120)
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["48 (48, 48) (48, 48)", "108 (48, 48) (48, 48)"]
    assert lines[2].startswith("What is the place 1 of Ada Lindb?")
    assert lines[3].endswith("samples to forget in the personalized setting")


@pytest.fixture
def turned(tmp_path: Path) -> tuple[Path, Callable[[], None]]:
    """A build, and what exports it again with all personalized roles turned round."""
    bundles = make_bundles(4)

    def export(turn: bool) -> None:
        other = {"forget": "retain", "retain": "forget"}
        own = [
            bundle.model_copy(
                update={
                    "assignments": tuple(
                        row.model_copy(update={"role": other[row.role]})
                        if row.setting == "personalized" and turn
                        else row
                        for row in bundle.assignments
                    )
                }
            )
            for bundle in bundles
        ]
        card = CARD.model_copy(update={"contact": CONTACT})
        wanted = ReleaseRequest(target="tiny", ratios=RATIOS, sensitive=CARD.sensitive)
        export_release(tmp_path / "turned" / "hub", own, wanted, card=card)

    export(False)
    return tmp_path / "turned", lambda: export(True)


@pytest.mark.slow
def test_a_changed_role_is_refused_unless_it_is_allowed(turned: tuple[Path, Callable[[], None]], hub: Hub) -> None:
    build, turn = turned
    publish(build, hub)
    turn()
    for dry_run in (True, False):
        refused = publish(build, hub, dry_run=dry_run)
        assert "24 samples that are published have another role now" in refused.refused
    assert len(hub.dataset(REPO).commits) == 2
    [done] = publish(build, hub, allow_role_changes=True).repos
    assert done.diff is not None
    assert (done.version, len(done.diff.roles)) == ("2.0.0", 24)


@pytest.fixture(scope="module")
def in_two_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with hub/ and hub_gated/."""
    folder = tmp_path_factory.mktemp("parts")
    write_release(folder / "hub", part="open", gated_slots=(25,))
    write_release(folder / "hub_gated", part="gated", gated_slots=(25,))
    return folder


@pytest.fixture
def gated_build(in_two_parts: Path, tmp_path: Path) -> Path:
    return linked_copy(in_two_parts, tmp_path / "gated")


def test_gated_classes_go_to_a_second_repo_that_is_closed_before_it_is_filled(gated_build: Path, hub: Hub) -> None:
    publish(gated_build, hub)
    second = hub.dataset(f"{REPO}-gated")
    assert (hub.dataset(REPO).gated, second.gated) == (False, "manual")
    assert "extra_gated_prompt" in hub.files(f"{REPO}-gated")["README.md"].decode()
    assert "extra_gated_prompt" not in hub.files(REPO)["README.md"].decode()
    settings = next(i for i, line in enumerate(hub.requests) if line.endswith("ppu-gated/settings"))
    commit = next(i for i, line in enumerate(hub.requests) if line.endswith("ppu-gated/commit/main"))
    assert settings < commit


def test_private_and_gated_are_flags_of_the_first_repo(build: Path, hub: Hub) -> None:
    publish(build, hub, private=True, gated=True)
    assert (hub.dataset(REPO).private, hub.dataset(REPO).gated) == (True, "manual")
    assert "extra_gated_prompt" in hub.files(REPO)["README.md"].decode()


def test_a_release_with_faults_reaches_no_hub(build: Path, hub: Hub) -> None:
    replace_text(build / "hub" / "ATTRIBUTION.md", "Ada Lindb 001.jpg", "gone.jpg")
    report = publish(build, hub)
    assert {fault.rule for fault in report.faults} == {"picture-readable"}
    assert report.faults[0].where.startswith("hub/data/attribution/test-00000-of-00001.parquet, row 0")
    assert (report.repos, hub.requests) == ((), [])


def test_text_written_by_hand_on_the_hub_stays(build: Path, hub: Hub) -> None:
    publish(build, hub)
    card = hub.files(REPO)["README.md"].decode().replace("None yet.", "We looked at fifty rows.")
    hub.put_files(REPO, {"README.md": card.encode()})
    [same] = publish(build, hub).repos
    assert same.status == "unchanged"
    publish(build, hub, contact="other@example.org")
    assert "We looked at fifty rows." in hub.files(REPO)["README.md"].decode()
    assert "write to other@example.org" in hub.files(REPO)["README.md"].decode()


def test_text_written_by_hand_here_is_published(build: Path, hub: Hub) -> None:
    publish(build, hub)
    replace_text(build / "hub" / "README.md", "None yet.", "Made with care.")
    [done] = publish(build, hub).repos
    assert (done.status, done.version, done.changed) == (
        "changed",
        "1.0.1",
        ("README.md", "croissant.json", "release.json"),
    )
    assert "Made with care." in hub.files(REPO)["README.md"].decode()


def test_a_card_edited_here_and_on_the_hub_is_refused(build: Path, hub: Hub) -> None:
    publish(build, hub)
    card = hub.files(REPO)["README.md"].decode().replace(HAND_WRITTEN, "\nThere.\n")
    hub.put_files(REPO, {"README.md": card.encode()})
    replace_text(build / "hub" / "README.md", "None yet.", "Here.")
    with pytest.raises(BadInput, match="was edited by hand both here"):
        publish(build, hub)


@pytest.mark.slow
def test_kill_9_during_the_upload_leaves_nothing_half_and_the_next_run_makes_one_commit(build: Path, hub: Hub) -> None:
    held = Fault(r"PUT /lfs/", hold=threading.Event(), times=100, after=1)
    hub.faults.append(held)
    code = (
        "from pathlib import Path\nfrom flows.publish.publish import PublishRequest, publish_folder\n"
        f"publish_folder(Path({str(build)!r}), PublishRequest({REPO!r}, token={OWNER!r}, endpoint={hub.url!r}))"
    )
    env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=env, stderr=subprocess.PIPE) as running:
        assert wait_while_running(running, lambda: hub.uploaded and hub.reached.is_set())
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert held.hold is not None
    held.times = 0
    held.hold.set()
    wait_for(lambda: hub.at_work == 0)
    assert hub.dataset(REPO).titles == ["initial commit"]  # whoever looks finds nothing, not half
    arrived = len(hub.uploaded)
    before = {sha for sha, _ in hub.uploaded}
    assert 0 < len(before) < large_files(build)
    [done] = publish(build, hub).repos
    assert hub.dataset(REPO).titles == ["initial commit", "Release v1.0.0, by ppubench"]
    assert done.verified_rows == done.rows
    assert not before & {sha for sha, _ in hub.uploaded[arrived:]}  # what had arrived did not travel again


def test_a_run_that_ended_before_the_tag_is_finished_by_the_next(build: Path, hub: Hub) -> None:
    hub.faults.append(Fault(r"POST /api/datasets/tester/ppu/tag/", times=9))
    with pytest.raises(Unfinished):
        publish(build, hub)
    assert hub.dataset(REPO).tags == {}
    hub.faults.clear()
    [done] = publish(build, hub).repos
    assert (done.status, done.verified_rows) == ("unchanged", done.rows)
    assert hub.dataset(REPO).tags == {"v1.0.0": hub.dataset(REPO).commits[1][0]}
    assert len(hub.dataset(REPO).commits) == 2


def test_a_connection_cut_in_the_middle_of_an_upload_is_taken_up_again(build: Path, hub: Hub) -> None:
    hub.faults.append(Fault(r"PUT /lfs/", cut=True, times=2))
    assert publish(build, hub).repos[0].status == "new"
    assert len(hub.dataset(REPO).commits) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_that_is_busy_for_a_while_is_asked_again(build: Path, hub: Hub, status: int) -> None:
    hub.faults += [Fault(r"preupload", status, times=2), Fault(r"PUT /lfs/", status, times=2)]
    assert publish(build, hub).repos[0].status == "new"


def test_a_hub_that_stays_down_ends_the_run_and_nothing_is_half_there(build: Path, hub: Hub) -> None:
    hub.faults.append(Fault(r"objects/batch", 503, times=99))
    with pytest.raises(Unfinished, match="the Hub answers 503"):
        publish(build, hub)
    assert hub.dataset(REPO).titles == ["initial commit"]


def test_a_hub_that_is_not_there_is_unfinished(build: Path, hub: Hub) -> None:
    with pytest.raises(Unfinished, match="cannot be reached"):
        publish_folder(build, PublishRequest(REPO, endpoint="http://127.0.0.1:9", token=OWNER))


def test_a_commit_of_somebody_else_in_between_is_not_written_over(build: Path, hub: Hub) -> None:
    hub.faults.append(Fault(r"POST /api/datasets/tester/ppu/commit", 412, "A commit has happened since."))
    with pytest.raises(Unfinished, match="somebody else changed the repo"):
        publish(build, hub)
    assert publish(build, hub).repos[0].status == "new"


def test_rows_that_come_back_changed_are_reported_and_the_release_is_not_tagged(
    build: Path, hub: Hub, tmp_path: Path
) -> None:
    publish(build, hub)
    hub.dataset(REPO).tags.clear()
    path = "data/ppu_eval_cloze/test-00000-of-00001.parquet"
    sha = hub.dataset(REPO).commits[-1][1][path][2] or ""
    table = pq.read_table(io.BytesIO(hub.blobs[sha]))
    rows = table.to_pylist()
    rows[0]["question"] = "The place 7 of Ada Lindb is ___."
    other = tmp_path / "other.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), other)
    hub.blobs[sha] = other.read_bytes()
    tree = hub.dataset(REPO).commits[-1][1]
    tree[path] = (tree[path][0], len(hub.blobs[sha]), sha)
    with pytest.raises(Unfinished, match="the rows of ppu_eval_cloze read back are not the build's"):
        _read_back_of(build, hub)
    assert hub.dataset(REPO).tags == {}


def _read_back_of(build: Path, hub: Hub) -> None:
    """The read-back alone, as if the commit had just been made."""
    from flows.publish.plan import clear, plan_release
    from flows.publish.publish import PublishRequest, _parts, _read_back
    from sources.hub.upload import HubRepo

    [(folder, release, name)] = _parts(build, PublishRequest(repo=REPO))
    plan = plan_release(
        folder,
        release,
        HubRepo(name, token=OWNER, endpoint=hub.url),
        gated=False,
        version="1.0.0",
        work=clear(build / "w"),
    )
    _read_back(plan, hub.dataset(REPO).commits[-1][0], clear(build / "back"))


def test_a_download_that_is_not_whole_is_unfinished(build: Path, hub: Hub) -> None:
    publish(build, hub)
    hub.dataset(REPO).tags.clear()
    sha = hub.dataset(REPO).commits[-1][1]["data/ppu_eval_cloze/test-00000-of-00001.parquet"][2] or ""
    hub.blobs[sha] = hub.blobs[sha][:-20]
    with pytest.raises(Unfinished, match="is not whole"):
        publish(build, hub)


def test_no_token_is_refused_before_anything_is_asked(build: Path, hub: Hub) -> None:
    with pytest.raises(BadInput, match="no token was found; set HF_TOKEN"):
        publish(build, hub, token=None)
    assert hub.requests == []


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("hf_wrongwrongwrongwrongw", "does not accept the token"),
        (READER, "the token may only read"),
        (OTHER, "belongs to tester, the token to stranger"),
    ],
)
def test_a_token_that_will_not_do_is_refused_and_never_shown(build: Path, hub: Hub, token: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as problem:
        publish(build, hub, token=token)
    assert token not in str(problem.value)
    assert hub.repos == {}


def test_the_name_of_a_model_is_refused(build: Path, hub: Hub) -> None:
    hub.create("models", REPO)
    with pytest.raises(BadInput, match="is the name of a model"):
        publish(build, hub)


def test_a_token_that_may_not_write_is_refused(build: Path, hub: Hub) -> None:
    hub.faults.append(Fault(r"/api/repos/create", 403, "You don't have the rights to create a dataset"))
    with pytest.raises(BadInput, match="the token may not do this"):
        publish(build, hub)


def test_an_account_without_room_is_refused(build: Path, hub: Hub) -> None:
    hub.faults.append(Fault(r"objects/batch", 403, "Private repository storage limit reached", times=9))
    with pytest.raises(BadInput, match="refuses to store more"):
        publish(build, hub)


def test_a_repo_with_other_files_is_refused(build: Path, hub: Hub) -> None:
    hub.put_files(REPO, {"data/mine.parquet": b"x", "model.bin": b"y"})
    with pytest.raises(BadInput, match=r"holds files that ppubench did not publish \(data/mine.parquet"):
        publish(build, hub)


@pytest.mark.parametrize("name", ["ppu", "a/b/c", "tester/../x", "tester/ppu@v1"])
def test_a_name_that_is_no_repo_is_refused(build: Path, hub: Hub, name: str) -> None:
    with pytest.raises(BadInput, match="is not a repo id"):
        publish_folder(build, PublishRequest(name, endpoint=hub.url, token=OWNER))


def test_a_version_that_is_taken_is_refused(build: Path, hub: Hub) -> None:
    publish(build, hub)
    with pytest.raises(BadInput, match=r"has a release v1\.0\.0 with other content"):
        publish(build, hub, contact="new@example.org", version="1.0.0")


@pytest.mark.parametrize("version", ["two", "1.2", "01.2.3", "1.2.3.4", "\u0661.2.3"])
def test_a_version_that_is_not_three_numbers_is_refused(build: Path, hub: Hub, version: str) -> None:
    with pytest.raises(BadInput, match="is not a version"):
        publish(build, hub, version=version)


def test_a_version_that_comes_before_the_published_one_is_refused(build: Path, hub: Hub) -> None:
    publish(build, hub, version="2.1.0")
    with pytest.raises(BadInput, match=r"holds v2\.1\.0, after which v2\.0\.9 cannot come"):
        publish(build, hub, contact="new@example.org", version="2.0.9")


@pytest.mark.parametrize("second", [REPO, REPO.upper()])
def test_both_parts_in_one_repo_are_refused_however_it_is_spelt(gated_build: Path, hub: Hub, second: str) -> None:
    with pytest.raises(BadInput, match="is the repo of the open part"):
        publish(gated_build, hub, gated_repo=second)


def test_the_gated_part_never_takes_the_place_of_the_open_one(gated_build: Path, hub: Hub) -> None:
    publish(gated_build, hub)
    with pytest.raises(BadInput, match="holds a gated part, and an open part would take its place"):
        publish(gated_build, hub, gated_repo=REPO, repo=f"{REPO}-gated")
    assert hub.dataset(REPO).gated is False
    assert len(hub.dataset(REPO).commits) == 2


def test_a_card_that_an_editor_began_with_a_byte_order_mark_is_read_as_without(build: Path, hub: Hub) -> None:
    publish(build, hub)
    replace_text(build / "hub" / "README.md", "---\n", "\ufeff---\n")
    [same] = publish(build, hub).repos
    assert same.status == "unchanged"


def test_a_card_that_is_not_utf_8_is_a_fault(build: Path, hub: Hub) -> None:
    card = build / "hub" / "README.md"
    text = card.read_bytes().replace(b"None yet.", b"Andr\xe9 looked.")
    card.unlink()
    card.write_bytes(text)
    [fault] = publish(build, hub).faults
    assert fault.line().startswith("card-text: hub/README.md: is not UTF-8 text")


def test_a_card_without_our_marks_on_the_hub_is_refused_by_its_repo(build: Path, hub: Hub) -> None:
    hub.put_files(REPO, {"README.md": b"---\nlicense: mit\n---\n"})
    with pytest.raises(
        BadInput, match=r"tester/ppu, README.md on the Hub: lacks the two marker lines.*delete that card"
    ):
        publish(build, hub)


@pytest.mark.parametrize(
    "token", ["\u201chf_ownerownerownerowner\u201d", "hf_owner\0owner", '"hf_ownerowner"', "hf_o wner"]
)
def test_a_token_with_strange_characters_is_refused_and_never_shown(
    build: Path, hub: Hub, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="holds a character that no token has") as problem:
        publish(build, hub, token=token)
    assert "hf_o" not in str(problem.value)
    assert hub.requests == []
    if "\0" not in token:
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(BadInput, match="holds a character that no token has"):
            fetch_release(HubId(REPO, None), endpoint=hub.url)


def test_a_token_that_the_hub_repeats_is_not_shown(
    build: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish(build, hub)
    hub.faults.append(Fault(r"/api/", 400, f"Bearer {OWNER} is odd", times=99))
    with pytest.raises(BadInput, match=r"\*\*\* is odd") as writing:
        publish(build, hub)
    monkeypatch.setenv("HF_TOKEN", OWNER)
    with pytest.raises((BadInput, Unfinished)) as reading:
        fetch_release(HubId(REPO, None), endpoint=hub.url, folder=tmp_path / "fetched")
    assert OWNER not in str(writing.value) + str(reading.value)

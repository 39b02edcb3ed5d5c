"""A small real Hub on loopback: repos, commits, LFS, tags, settings and downloads, as the installed client asks.

It keeps everything in memory, counts what travels, and can be told to refuse, to fail or to cut a connection.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.servers.waiting import patient

OWNER, READER, OTHER = "hf_ownerownerownerowner", "hf_readerreaderreaderrd", "hf_otherotherotherothero"
USERS = {OWNER: ("tester", "write"), READER: ("tester", "read"), OTHER: ("stranger", "write")}
GIT_ATTRIBUTES = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"


@dataclass
class Repo:
    """One repo: its commits (each a whole tree: path -> (git oid, size, sha256 or None)) and tags."""

    private: bool = False
    gated: str | bool = False
    commits: list[tuple[str, dict[str, tuple[str, int, str | None]]]] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def tree(self, revision: str) -> tuple[str, dict[str, tuple[str, int, str | None]]] | None:
        oid = self.commits[-1][0] if revision in ("main", "HEAD") else self.tags.get(revision, revision)
        return next((commit for commit in self.commits if commit[0] == oid), None)

    def add(self, files: dict[str, tuple[str, int, str | None]], title: str) -> str:
        oid = hashlib.sha1(f"{len(self.commits)}{sorted(files.items())}".encode()).hexdigest()
        self.commits.append((oid, files))
        self.titles.append(title)
        return oid


@dataclass
class Fault:
    """What to do with the next `times` requests whose `METHOD path` matches: a status with a message, or a cut."""

    pattern: str
    status: int = 500
    message: str = "injected"
    times: int = 1
    cut: bool = False
    hold: threading.Event | None = None
    """Wait for this before going on as usual."""
    after: int = 0
    """How many such requests pass first."""


class Hub:
    """The state of the server, for tests to look at and to set."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.uploaded: list[tuple[str, int]] = []
        """(sha256, bytes) of every LFS object that was put."""
        self.reached = threading.Event()
        """Set when a request matches a fault that holds."""
        self.url, self.at_work = "", 0
        """Where it is, and how many requests are being answered."""
        self.lock = threading.RLock()

    def dataset(self, repo: str) -> Repo:
        return self.repos["datasets", repo]

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        found = self.dataset(repo).tree(revision)
        assert found is not None, revision
        return {path: self.blobs[sha or oid] for path, (oid, _, sha) in found[1].items()}

    def store(self, content: bytes) -> tuple[str, int]:
        oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        self.blobs[oid] = content
        return oid, len(content)

    def create(self, kind: str, repo: str, *, private: bool = False) -> Repo:
        made = self.repos[kind, repo] = Repo(private=private)
        made.add({".gitattributes": (*self.store(GIT_ATTRIBUTES), None)}, "initial commit")
        return made

    def put_files(self, repo: str, files: dict[str, bytes]) -> str:
        """A commit made behind the client's back, as by hand on the Hub's page."""
        made = self.repos.get(("datasets", repo)) or self.create("datasets", repo)
        tree = dict(made.commits[-1][1])
        for path, content in files.items():
            sha = hashlib.sha256(content).hexdigest() if path.endswith(".parquet") else None
            if sha:
                self.blobs[sha] = content
            tree[path] = (*self.store(content), sha)
        return made.add(tree, "by hand")

    def fault_for(self, line: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times and re.search(fault.pattern, line):
                    if fault.after:
                        fault.after -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """A running Hub; HF_ENDPOINT is `hub.url`."""
    hub = Hub()

    class Handler(_Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Stop(Exception):
    """The request is answered."""


class _Handler(BaseHTTPRequestHandler):
    state: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def _answer(self, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body if body is not None else {}).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        raise _Stop

    def _refuse(self, status: int, message: str, code: str = "") -> None:
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self._answer(status, {"error": message}, headers)

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        self.path_only, self.query = unquote(parts.path), parse_qs(parts.query)
        line = f"{self.command} {self.path_only}"
        self.state.requests.append(line)
        with self.state.lock:
            self.state.at_work += 1
        try:
            fault = self.state.fault_for(line)
            if fault is not None and fault.hold is not None:
                self.state.reached.set()
                fault.hold.wait(patient(60))
            elif fault is not None and fault.cut:
                self.rfile.read(min(1000, int(self.headers.get("Content-Length", 0))))
                self.close_connection = True
                self.connection.close()
                return
            self.body = self._read()
            if fault is not None and fault.hold is None:
                self._refuse(fault.status, fault.message)
            with self.state.lock:
                self._route()
        except _Stop:
            pass
        except (BrokenPipeError, ConnectionResetError, ValueError, OSError):
            self.close_connection = True
        finally:
            with self.state.lock:
                self.state.at_work -= 1

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _handle

    def _read(self) -> bytes:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError
        return body

    def _user(self) -> tuple[str, str] | None:
        header = self.headers.get("Authorization", "")
        if not header:
            return None
        user = USERS.get(header.removeprefix("Bearer "))
        if user is None:
            self._refuse(401, "Invalid credentials in Authorization header")
        return user

    def _route(self) -> None:
        path = self.path_only
        if path == "/api/whoami-v2":
            self._whoami()
        if path == "/api/repos/create":
            self._create()
        if path == "/api/validate-yaml":
            self._user()
            self._answer(200, {"errors": [], "warnings": []})
        if found := re.fullmatch(r"/lfs/([0-9a-f]{64})", path):
            assert hashlib.sha256(self.body).hexdigest() == found[1]
            self.state.blobs[found[1]] = self.body
            self.state.uploaded.append((found[1], len(self.body)))
            self._answer(200)
        if found := re.fullmatch(r"/(?:(datasets)/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            self._batch(self._repo(found[1] or "models", found[2], write=True))
        if found := re.fullmatch(r"/(?:(datasets)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(self._repo(found[1] or "models", found[2], content=True), found[3], found[4])
        if found := re.fullmatch(r"/api/(datasets|models)/([^/]+/[^/]+)(?:/(.*))?", path):
            self._api(found[1], found[2], found[3] or "")
        self._refuse(404, f"no such route {path}")

    def _whoami(self) -> None:
        user = self._user()
        if user is None:
            self._refuse(401, "Invalid credentials in Authorization header")
            return
        access = {"displayName": "t", "role": user[1]}
        self._answer(200, {"type": "user", "name": user[0], "orgs": [], "auth": {"accessToken": access}})

    def _create(self) -> None:
        user, wanted = self._user(), json.loads(self.body)
        kind = f"{wanted.get('type', 'model')}s"
        owner = wanted.get("organization") or (user[0] if user else "")
        if user is None:
            self._refuse(401, "Unauthorized")
        elif owner != user[0] or user[1] != "write":
            self._refuse(403, f"You don't have the rights to create a {kind[:-1]} under the namespace {owner!r}")
        repo = f"{owner}/{wanted['name']}"
        if (kind, repo) in self.state.repos:
            self._refuse(409, "You already created this repo")
        self.state.create(kind, repo, private=wanted.get("visibility") == "private" or bool(wanted.get("private")))
        self._answer(200, {"url": f"{self.state.url}/{kind}/{repo}", "name": repo, "id": repo})

    def _repo(self, kind: str, repo: str, *, write: bool = False, content: bool = False) -> tuple[str, Repo]:
        user, found = self._user(), self.state.repos.get((kind, repo))
        owns = user is not None and repo.partition("/")[0] == user[0]
        if found is None or (found.private and not owns):
            self._refuse(404 if user else 401, "Repository not found", "RepoNotFound")
        assert found is not None
        if write and not (owns and user and user[1] == "write"):
            self._refuse(403, "Authorization error: write access is needed")
        if content and found.gated and not owns:
            self._refuse(403 if user else 401, f"Access to dataset {repo} is restricted.", "GatedRepo")
        return repo, found

    def _api(self, kind: str, name: str, rest: str) -> None:
        what, _, tail = rest.partition("/")
        if what in ("preupload", "commit", "tag", "settings"):
            repo, found = self._repo(kind, name, write=True)
        else:
            repo, found = self._repo(kind, name)
        if what in ("", "revision"):
            self._info(repo, found, tail or "main")
        elif what == "tree":
            self._tree(found, tail)
        elif what == "refs":
            tags = [{"name": n, "ref": f"refs/tags/{n}", "targetCommit": oid} for n, oid in found.tags.items()]
            main = {"name": "main", "ref": "refs/heads/main", "targetCommit": found.commits[-1][0]}
            self._answer(200, {"branches": [main], "converts": [], "tags": tags})
        elif what == "preupload":
            self._preupload(found)
        elif what == "commit":
            self._commit(repo, found)
        elif what == "tag" and self.command == "POST":
            tag, at = json.loads(self.body)["tag"], found.tree(tail)
            if tag in found.tags:
                self._refuse(409, f"Tag reference {tag} exists already")
            assert at is not None
            found.tags[tag] = at[0]
            self._answer(200)
        elif what == "settings":
            wanted = json.loads(self.body)
            found.gated = wanted.get("gated", found.gated)
            if "visibility" in wanted or "private" in wanted:
                found.private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
            self._answer(200, wanted)
        self._refuse(404, f"no such route {rest}")

    def _at(self, found: Repo, revision: str) -> tuple[str, dict[str, tuple[str, int, str | None]]]:
        at = found.tree(revision)
        if at is None:
            self._refuse(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        assert at is not None
        return at

    def _info(self, repo: str, found: Repo, revision: str) -> None:
        oid, files = self._at(found, revision)
        siblings = [{"rfilename": path} for path in sorted(files)]
        self._answer(
            200,
            {"_id": repo, "id": repo, "author": repo.split("/")[0], "sha": oid, "private": found.private, "tags": [],
             "gated": found.gated, "disabled": False, "downloads": 0, "likes": 0, "siblings": siblings,
             "lastModified": "2026-11-21T00:00:00.000Z", "createdAt": "2026-11-21T00:00:00.000Z"},
        )  # fmt: skip

    def _tree(self, found: Repo, tail: str) -> None:
        revision, _, under = tail.partition("/")
        _, files = self._at(found, revision)
        entries: dict[str, dict[str, Any]] = {}
        start = f"{under}/" if under else ""
        for path, (oid, size, sha) in sorted(files.items()):
            if not path.startswith(start):
                continue
            rest = path[len(start) :]
            parts = rest.split("/")
            for depth in range(1, len(parts)):
                folder = start + "/".join(parts[:depth])
                entries[folder] = {"type": "directory", "path": folder, "oid": "0" * 40, "size": 0}
            entry: dict[str, Any] = {"type": "file", "path": path, "oid": oid, "size": size}
            if sha:
                entry["lfs"] = {"oid": sha, "size": size, "pointerSize": 130}
            entries[path] = entry
        if under and not entries:
            self._refuse(404, "no such path", "EntryNotFound")
        deep = self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
        shown = [e for p, e in sorted(entries.items()) if deep or "/" not in p[len(start) :]]
        self._answer(200, shown)

    def _preupload(self, found: Repo) -> None:
        _, files = found.commits[-1]
        answer = []
        for file in json.loads(self.body)["files"]:
            large = file["path"].endswith(".parquet")
            known = files.get(file["path"])
            oid = (known[2] or known[0]) if known else None
            answer.append(
                {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}
            )
        self._answer(200, {"files": answer})

    def _batch(self, where: tuple[str, Repo]) -> None:
        objects = []
        for wanted in json.loads(self.body)["objects"]:
            entry: dict[str, Any] = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.state.blobs:
                entry["actions"] = {"upload": {"href": f"{self.state.url}/lfs/{wanted['oid']}", "header": {}}}
            objects.append(entry)
        self._answer(200, {"transfer": "basic", "objects": objects}, {"Content-Type": "application/vnd.git-lfs+json"})

    def _commit(self, repo: str, found: Repo) -> None:
        lines = [json.loads(line) for line in self.body.splitlines()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        if header.get("parentCommit") not in (None, found.commits[-1][0]):
            self._refuse(412, "A commit has happened since. Please refresh and try again.")
        files = dict(found.commits[-1][1])
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = (*self.state.store(base64.b64decode(value["content"])), None)
            elif line["key"] == "lfsFile":
                assert value["oid"] in self.state.blobs, "a commit names an object that was never put"
                pointer = hashlib.sha1(value["oid"].encode()).hexdigest()
                files[value["path"]] = (pointer, len(self.state.blobs[value["oid"]]), value["oid"])
            elif line["key"] == "deletedFile":
                files.pop(value["path"])
        oid = found.add(files, header["summary"])
        url = f"{self.state.url}/datasets/{repo}/commit/{oid}"
        self._answer(200, {"commitUrl": url, "commitOid": oid, "success": True})

    def _resolve(self, where: tuple[str, Repo], revision: str, path: str) -> None:
        commit, files = self._at(where[1], revision)
        if path not in files:
            self._refuse(404, "Entry not found", "EntryNotFound")
        oid, size, sha = files[path]
        content = self.state.blobs[sha or oid]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{sha or oid}"', "Accept-Ranges": "bytes"}
        if sha:
            headers |= {"X-Linked-ETag": f'"{sha}"', "X-Linked-Size": str(size)}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted and content:
            first, last = int(wanted[1]), min(int(wanted[2] or size - 1), size - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
            self._answer(206, content[first : last + 1], headers)
        self._answer(200, content, headers)

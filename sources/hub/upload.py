"""One dataset repo of a Hub, for writing: what is there, one commit of everything, its tag and its settings."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from schemas.errors import BadInput
from schemas.storage.tables import file_sha256
from sources.hub.download import HubId, fetch_release, find_token, hub_errors, parse_hub_id

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile, RepoFolder

Content = Path | bytes


@dataclass(frozen=True)
class RemoteFile:
    """A file as the Hub lists it: git's id of its bytes, or the sha256 where it is stored as a large file."""

    size: int
    git_id: str
    sha256: str | None

    def same_as(self, content: Content) -> bool:
        """Whether these bytes are the file's."""
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        if size != self.size:
            return False
        if self.sha256 is not None:
            own = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else file_sha256(content)
            return own == self.sha256
        data = content if isinstance(content, bytes) else content.read_bytes()
        return hashlib.sha1(b"blob %d\0" % size + data, usedforsecurity=False).hexdigest() == self.git_id


@dataclass(frozen=True)
class RemoteState:
    """A dataset repo at the head of its main branch; `head` is None where there is no such repo."""

    head: str | None = None
    private: bool = False
    gated: Literal["auto", "manual", False] = False
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    """Commit by tag."""


class HubRepo:
    """A live connection to one repo, with a token that no message repeats."""

    def __init__(self, repo: str, *, token: str | None = None, endpoint: str | None = None) -> None:
        """`token` is looked for in the usual places (HF_TOKEN, `hf auth login`) if it is not given.

        Raises BadInput for a name that is not OWNER/NAME.
        """
        from huggingface_hub import HfApi

        wanted = parse_hub_id(repo)
        if wanted is None or wanted.revision is not None:
            raise BadInput(f"--repo {repo}", "is not a repo id", "name it OWNER/NAME")
        self.repo = wanted.repo
        self.endpoint = endpoint
        self._token = find_token(token)
        self._api = HfApi(endpoint=endpoint, token=self._token or False)

    def check_rights(self) -> None:
        """Raise BadInput unless the token is accepted, may write, and belongs to the repo's owner or a member of it."""
        if self._token is None:
            raise BadInput(self.repo, "no token was found", "set HF_TOKEN, or log in with `hf auth login`")
        with hub_errors(self.repo, token=self._token):
            found = self._api.whoami()
        name = str(found.get("name", ""))
        places = {name, *(str(each.get("name", "")) for each in found.get("orgs") or [])}
        owner = self.repo.partition("/")[0]
        if owner not in places:
            raise BadInput(
                self.repo, f"belongs to {owner}, the token to {name}", "name a repo of your own or of your team"
            )
        role = ((found.get("auth") or {}).get("accessToken") or {}).get("role")
        if role == "read":
            raise BadInput(self.repo, "the token may only read", "make one with write access and set HF_TOKEN")

    def state(self) -> RemoteState:
        """What is there now. Raises BadInput where the name is that of a model."""
        from huggingface_hub.errors import RepositoryNotFoundError

        with hub_errors(self.repo, token=self._token):
            try:
                info = self._api.dataset_info(self.repo)
            except RepositoryNotFoundError:
                self._refuse_model()
                return RemoteState()
            files = _files(self._api.list_repo_tree(self.repo, repo_type="dataset", revision=info.sha, recursive=True))
            tags = self._api.list_repo_refs(self.repo, repo_type="dataset").tags
        return RemoteState(
            head=info.sha,
            private=bool(info.private),
            gated=info.gated or False,
            files=files,
            tags={tag.name: tag.target_commit for tag in tags},
        )

    def _refuse_model(self) -> None:
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            self._api.model_info(self.repo)
        except RepositoryNotFoundError:
            return
        raise BadInput(self.repo, "is the name of a model", "choose another name for the dataset")

    def fetch(self, revision: str, folder: Path, *, patterns: Sequence[str] | None = None) -> Path:
        """Download files of a revision into a folder."""
        wanted = HubId(self.repo, revision)
        return fetch_release(wanted, patterns=patterns, folder=folder, token=self._token, endpoint=self.endpoint)

    def prepare(self, *, private: bool, gated: bool, state: RemoteState) -> RemoteState:
        """Make the repo if there is none, and close it before anything is in it that must not be open."""
        with hub_errors(self.repo, token=self._token):
            if state.head is None:
                self._api.create_repo(self.repo, repo_type="dataset", private=private, exist_ok=False)
            elif private and not state.private:
                self._api.update_repo_settings(self.repo, repo_type="dataset", private=True)
            if gated and not state.gated:
                self._api.update_repo_settings(self.repo, repo_type="dataset", gated="manual")
        now = self.state()
        if (private and not now.private) or (gated and not now.gated):
            raise BadInput(
                self.repo, "the Hub did not close the repo", "set its access on its settings page, then go on"
            )
        return now

    def commit(self, changed: Mapping[str, Content], deleted: Sequence[str], *, message: str, parent: str) -> str:
        """One commit of all changes on top of `parent`, or none at all; its id.

        Raises Unfinished if another commit came in between; large files that were uploaded before are not sent again.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))
            for path, content in sorted(changed.items())
        ]
        operations += [CommitOperationDelete(path) for path in sorted(deleted)]
        with hub_errors(self.repo, token=self._token):
            done = self._api.create_commit(
                self.repo, operations, commit_message=message, repo_type="dataset", parent_commit=parent
            )
        return done.oid

    def tag(self, name: str, revision: str) -> None:
        """Name a revision for ever."""
        with hub_errors(self.repo, token=self._token):
            self._api.create_tag(self.repo, tag=name, revision=revision, repo_type="dataset")


def _files(tree: "Iterable[RepoFile | RepoFolder]") -> dict[str, RemoteFile]:
    from huggingface_hub.hf_api import RepoFile

    found: dict[str, RemoteFile] = {}
    for entry in tree:
        if isinstance(entry, RepoFile):
            sha = entry.lfs.sha256 if entry.lfs is not None else None
            found[entry.path] = RemoteFile(entry.size, entry.blob_id, sha)
    return found

"""Releases on a Hugging Face Hub, for reading: ids, one download of a revision, and its failures in one line."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import BadInput, Unfinished

_ID = re.compile(r"(?:hf://datasets/)?([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?")
_TOKEN = re.compile(r"[!#-&(-~]+")
"""Printable ASCII without blanks and quotation marks."""
_QUOTA = re.compile(r"quota|storage|limit|exceed|payment", re.IGNORECASE)


@dataclass(frozen=True)
class HubId:
    """A dataset repo, and a branch, tag or commit of it (None: its main branch)."""

    repo: str
    revision: str | None

    def __str__(self) -> str:
        return self.repo if self.revision is None else f"{self.repo}@{self.revision}"


def parse_hub_id(text: str) -> HubId | None:
    """`OWNER/NAME`, `OWNER/NAME@REVISION` or the same after `hf://datasets/`; None for anything else."""
    found = _ID.fullmatch(text)
    if found is None or ".." in text or "--" in found[1]:
        return None
    return HubId(found[1], found[2])


def fetch_release(
    wanted: HubId,
    *,
    patterns: Sequence[str] | None = None,
    folder: Path | None = None,
    token: str | None = None,
    endpoint: str | None = None,
) -> Path:
    """The files of a dataset repo at one revision, from the Hub or its cache; a folder with all of them.

    `patterns` limits the files; `folder` is written instead of the library's cache. HF_ENDPOINT, HF_TOKEN and
    HF_HUB_OFFLINE are honoured. Raises BadInput for a repo or revision that is not there or not accessible, and
    Unfinished where the Hub cannot be reached.
    """
    from huggingface_hub import snapshot_download

    with hub_errors(wanted.repo, revision=wanted.revision, token=find_token(token)):
        return Path(
            snapshot_download(
                wanted.repo,
                repo_type="dataset",
                revision=wanted.revision,
                allow_patterns=None if patterns is None else list(patterns),
                local_dir=folder,
                token=token,
                endpoint=endpoint,
            )
        )


def find_token(given: str | None = None) -> str | None:
    """The token: the one given, or that of the usual places (HF_TOKEN, `hf auth login`); None if there is none.

    Raises BadInput for one with characters that no token has, which a client would repeat when it complains of them.
    """
    from huggingface_hub import get_token

    token = given or get_token()
    if token is not None and not _TOKEN.fullmatch(token):
        found = "holds a character that no token has (a quotation mark, a blank or the like)"
        raise BadInput("the Hub's token", found, "set HF_TOKEN to the token alone, or log in with `hf auth login`")
    return token


def quiet_unless_terminal() -> None:
    """Keep the client's progress bars off anything that is not a terminal."""
    if not sys.stderr.isatty():
        from huggingface_hub.utils.tqdm import disable_progress_bars

        disable_progress_bars()


@contextmanager
def hub_errors(repo: str, *, revision: str | None = None, token: str | None = None) -> Iterator[None]:
    """Turn what the client raises into BadInput (wrong use) or Unfinished (the Hub's fault), without the token."""
    import httpx2
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise BadInput(repo, "is gated", f"ask for access on its page of the Hub{_and_log_in(token)}") from error
    except RepositoryNotFoundError as error:
        found = "no such folder here, and no such dataset on the Hub (a private one looks the same)"
        raise BadInput(repo, found, f"check the name{_and_log_in(token)}") from error
    except RevisionNotFoundError as error:
        raise BadInput(repo, f"has no revision {revision!r}", "name one of its branches, tags or commits") from error
    except HFValidationError as error:
        raise BadInput(repo, "is not a repo id", "name it OWNER/NAME") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise _unreachable(repo, error) from error
    except HfHubHTTPError as error:
        raise _refused(repo, error, token) from error
    except (httpx2.HTTPError, ConnectionError, TimeoutError) as error:
        raise Unfinished(f"{repo}: the Hub cannot be reached ({_plain(error, token)})") from error
    except OSError as error:
        if error.errno is not None:
            raise  # of this machine's disk
        raise Unfinished(f"{repo}: what the Hub sent is not whole ({_plain(error, token)})") from error
    except (RuntimeError, ValueError) as error:
        if isinstance(error, BadInput) or not _of_the_hub(error):
            raise
        with hub_errors(repo, revision=revision, token=token):
            if isinstance(error.__cause__, Exception):
                raise error.__cause__ from None
            raise _said(repo, _plain(error, token)) from error


def _of_the_hub(error: Exception) -> bool:
    """The client wraps what went wrong with one file, or one batch of files, in these."""
    return str(error).startswith(("Error while uploading", "LFS batch API returned errors"))


def _unreachable(repo: str, error: Exception) -> BadInput | Unfinished:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        found = "no such folder here, and it is not in the Hub's cache, which is all that HF_HUB_OFFLINE allows"
        return BadInput(repo, found, "name a build or an exported folder, or unset HF_HUB_OFFLINE")
    return Unfinished(f"{repo}: the Hub at {constants.ENDPOINT} cannot be reached, and its cache lacks the dataset")


def _refused(repo: str, error: Exception, token: str | None) -> BadInput | Unfinished:
    response = getattr(error, "response", None)
    status = response.status_code if response is not None else 0
    said = _plain(getattr(error, "server_message", None) or error, token)
    if status == 401:
        return BadInput(repo, "the Hub does not accept the token", "make a new one; set HF_TOKEN or `hf auth login`")
    if status in (402, 403, 413, 507) and _QUOTA.search(said):
        return _full(repo, said)
    if status == 403:
        return BadInput(repo, f"the token may not do this ({said})", "use a token with write access to this repo")
    if status in (409, 412):
        return Unfinished(f"{repo}: somebody else changed the repo at the same time ({said})")
    if status == 429 or status >= 500:
        return Unfinished(f"{repo}: the Hub answers {status} ({said})")
    return BadInput(repo, f"the Hub refuses ({said})", "mend what it names and run again")


def _said(repo: str, said: str) -> BadInput | Unfinished:
    if _QUOTA.search(said):
        return _full(repo, said)
    return Unfinished(f"{repo}: {said}")


def _full(repo: str, said: str) -> BadInput:
    return BadInput(repo, f"the Hub refuses to store more ({said})", "free space or ask for more, then run again")


def _plain(error: object, token: str | None) -> str:
    """The first line of what went wrong, without the token."""
    line = " ".join((str(error).strip() or type(error).__name__).split())
    return (line.replace(token, "***") if token else line)[:300]


def _and_log_in(token: str | None) -> str:
    return "" if token else ", and log in (`hf auth login`, or HF_TOKEN) if it is not public"

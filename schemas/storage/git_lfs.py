"""Git LFS pointers: the few lines of text that stand for a large file until `git lfs pull` has fetched it."""

from pathlib import Path

FOUND = "is a Git LFS pointer in place of the file"
ADVICE = "fetch it with git lfs pull"
_HEAD = b"version https://git-lfs.github.com/spec/"


def is_pointer(content: bytes) -> bool:
    """Whether the first bytes of a file are those of a pointer."""
    return content.startswith(_HEAD)


def is_pointer_file(path: Path) -> bool:
    """Whether a file is a pointer; False for one that cannot be opened."""
    try:
        with path.open("rb") as file:
            return is_pointer(file.read(len(_HEAD)))
    except OSError:
        return False

"""How the client names itself and whoever runs it, as Wikimedia's User-Agent policy asks."""

from importlib.metadata import PackageNotFoundError, version

import requests

from schemas.errors import BadInput


def user_agent(contact: str | None) -> str:
    """`ppubench/<version> (<contact>) requests/<version>`, the form that Wikimedia's policy asks for."""
    try:
        own = version("ppubench")
    except PackageNotFoundError:
        own = "checkout"
    return f"ppubench/{own} ({contact or 'loopback'}) requests/{requests.__version__}"


def checked_contact(contact: str | None) -> str | None:
    """The contact, stripped; raises BadInput for one that nobody can be reached by or that no header can carry."""
    if contact is None:
        return None
    text = contact.strip()
    if not text.isascii() or not text.isprintable() or not any(sign in text for sign in ("@", "://", "User:")):
        raise BadInput(
            "source.contact",
            f"{contact[:60]!r} is no way to reach whoever runs the build",
            "give an e-mail address or the URL of a user page, in ASCII",
        )
    return text

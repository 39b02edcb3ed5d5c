"""Loopback: which hosts are this machine itself, and that nothing of ours reaches them through a user's proxy.

A proxy is somebody else's machine, whose 127.0.0.1 is not ours. What we open ourselves asks `on_loopback`; libraries
and child processes that read the environment find it in NO_PROXY (`spare_loopback`).
"""

import ipaddress
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import IO, cast
from urllib.parse import urlsplit

SPARED = ("localhost", "127.0.0.1", "::1", "127.0.0.0/8")
"""In a form that each library can read: some know no networks, and some fail on an address in brackets."""
_NAMES = ("no_proxy", "NO_PROXY")


def is_loopback(host: str) -> bool:
    """Whether a host, by name or address, with or without brackets, is this machine itself."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    return address.is_loopback or address.is_unspecified  # a client that asks 0.0.0.0 asks itself


def on_loopback(url: str) -> bool:
    """Whether a URL (or `HOST:PORT`) is served by this machine itself."""
    try:
        return is_loopback(urlsplit(url if "//" in url else f"//{url}").hostname or "")
    except ValueError:
        return False


def spare_loopback(environment: MutableMapping[str, str]) -> None:
    """Add loopback to NO_PROXY in both spellings; what the user named there stays, and `*` stays alone.

    Where the user set one spelling, the other takes its entries: libraries differ in which one they look at first.
    """
    given = {name: environment[name] for name in _NAMES if name in environment}
    for name in _NAMES:
        entries = [each.strip() for each in given.get(name, next(iter(given.values()), "")).split(",") if each.strip()]
        if "*" in entries:
            environment[name] = "*"
        else:
            environment[name] = ",".join([*entries, *(host for host in SPARED if host not in entries)])


def without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a child that speaks to nobody but this machine."""
    return {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}


@contextmanager
def opened(url: str, *, timeout_s: float) -> Iterator[IO[bytes]]:
    """What a server answers to a plain GET, asked directly where it is this machine. Raises OSError, ValueError."""
    import urllib.request  # with much of the library behind it, and this is imported by every command

    direct = (urllib.request.ProxyHandler({}),) if on_loopback(url) else ()
    with urllib.request.build_opener(*direct).open(url, timeout=timeout_s) as answer:
        yield cast(IO[bytes], answer)

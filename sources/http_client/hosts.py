"""Which hosts may be asked (Wikimedia's, and those that the caller routes), and where a request for one goes."""

import ipaddress
import socket
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

from requests.utils import get_environ_proxies

from schemas.protocols.source import FetchProblem

WIKIMEDIA_DOMAINS = ("wikidata.org", "wikimedia.org", "wikipedia.org", "mediawiki.org")


def is_wikimedia(host: str) -> bool:
    """Whether the host belongs to Wikimedia (or is a subdomain of one of its domains)."""
    return any(host == domain or host.endswith("." + domain) for domain in WIKIMEDIA_DOMAINS)


def host_of(url: str) -> str:
    """The host of an absolute URL, lower case, with the port where one is written; raises FetchProblem."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port
    except ValueError as error:
        raise FetchProblem(url, f"is not a URL ({error})") from error
    if parts.scheme not in ("http", "https") or not host:
        raise FetchProblem(url, "is not an http or https URL")
    if parts.username is not None:
        raise FetchProblem(f"{parts.scheme}://{host}", "carries a user name, which no Wikimedia URL does")
    return host if port is None or port in (80, 443) else f"{host}:{port}"


def address_of(url: str, routes: Mapping[str, str]) -> str:
    """The URL to connect to: the route's base for a routed host, https for a Wikimedia host.

    Raises FetchProblem for every other host, above all for private and loopback addresses.
    """
    host = host_of(url)
    parts = urlsplit(url)
    if host in routes:
        base = urlsplit(routes[host])
        return urlunsplit((base.scheme, base.netloc, parts.path or "/", parts.query, ""))
    if is_wikimedia(host):
        if not get_environ_proxies(f"https://{host}/") and _resolves_privately(host):
            raise FetchProblem(url, "resolves to a private or loopback address")
        return urlunsplit(("https", host, parts.path or "/", parts.query, ""))
    if _is_private(host):
        raise FetchProblem(url, "is a private or loopback address; name it in the source's routes to allow it")
    raise FetchProblem(url, "is neither a Wikimedia host nor named in the source's routes")


def _is_private(host: str) -> bool:
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 else host.strip("[]")
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not ipaddress.ip_address(name).is_global
    except ValueError:
        return False


@lru_cache(maxsize=256)
def _resolves_privately(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except OSError:
        return False  # The connection itself will say that the name does not resolve.
    return any(not ipaddress.ip_address(str(entry[4][0]).split("%")[0]).is_global for entry in found)

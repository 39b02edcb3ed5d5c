"""The hosts of a build from live Wikidata and Commons, routed to the embedded world."""

from sources.sandbox.server.server import UPLOAD_HOST, RunningServer

HOSTS = ("www.wikidata.org", "commons.wikimedia.org", "query.wikidata.org", "wikimedia.org", UPLOAD_HOST)


def live_routes(running: RunningServer) -> dict[str, str]:
    """The base URL that a recipe gives each of them."""
    return dict.fromkeys(HOSTS, next(iter(running.routes.values())))

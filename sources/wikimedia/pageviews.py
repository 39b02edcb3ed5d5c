"""How often articles are read: Wikimedia's pageview counts (CC0)."""

from urllib.parse import quote

from sources.http_client.client import PoliteClient
from sources.http_client.responses import BadAnswer
from sources.wikimedia.typed_json import as_int, as_list, as_object


def yearly_pageviews(client: PoliteClient, title: str, *, year: int, host: str) -> int:
    """Views of an English Wikipedia article by people, summed over the months of a year; 0 where nothing was counted.

    Raises FetchProblem.
    """
    article = quote(title.replace(" ", "_"), safe="")
    span = f"{year}010100/{year}123100"
    url = f"https://{host}/api/rest_v1/metrics/pageviews/per-article/en.wikipedia/all-access/user/{article}/monthly/{span}"
    try:
        answer = client.get_json(url, {})
        months = [as_object(month, "items") for month in as_list(answer.get("items"), "items")]
        return sum(as_int(month.get("views"), "items.views") for month in months)
    except BadAnswer as error:
        if error.code == "404":
            return 0
        raise
    except ValueError as error:
        raise BadAnswer(url, f"the answer has another shape ({error})") from error

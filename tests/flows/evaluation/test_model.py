"""flows.evaluation.model: what a server refuses to be told is part of the identity of its model."""

from flows.evaluation.model import as_served, identify
from tests.servers.chat_server import Body, ChatServer, Handled, answer, refuse, serving


def cold(body: Body) -> Handled:
    """A server that takes no temperature."""
    return refuse(400, "Unsupported parameter: 'temperature'") if "temperature" in body else answer("yes")


def test_a_model_whose_server_refuses_a_parameter_is_another_one() -> None:
    with serving(ChatServer(lambda body, number: cold(body), check=cold)) as url:
        found = identify(f"openai:{url}#m", None)
        assert as_served(found).identity == f"{found.identity} without temperature"


def test_a_model_whose_server_takes_everything_stays_the_same() -> None:
    with serving(ChatServer(lambda body, number: answer("yes"))) as url:
        found = identify(f"openai:{url}#m", None)
        assert as_served(found) == found


def test_a_model_whose_server_is_down_stays_the_same() -> None:
    found = identify("openai:http://127.0.0.1:1/v1#m", None)
    assert as_served(found) == found

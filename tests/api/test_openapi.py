"""The OpenAPI document: it is one, it fits the routes, and nothing that it allows breaks the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis import checks
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode

from aethermind.api.app import App
from aethermind.api.document import written
from aethermind.api.routes import NOUNS
from tests.api.serving import ASK, HI, Serving

Json = Any
EXAMPLES = 3
"""Of each operation; the bench and CI's nightly may take more."""
NEVER = {"/api/engine/stop"}


class _Unbuilt:
    """The routes name what they ask; none is asked here."""

    def __getattr__(self, name: str) -> Any:
        return None


DOCUMENT: Json = json.loads(written(App(_Unbuilt()).routes))  # type: ignore[arg-type]  # a room without an engine


@pytest.fixture(scope="module")
def busy() -> Iterator[Serving]:
    """With something to find: a run that is over, one that waits, a workflow, an agent, a token."""
    with Serving() as served:
        served.settled(served.start(HI))
        served.settled(served.start(ASK))
        served.post("/api/workflows", {"text": HI})
        served.post("/api/agents", {"name": "poet", "model": "fast"})
        yield served
        assert served.complaints == []


def test_the_server_gives_the_same_document(busy: Serving) -> None:
    assert busy.get("/openapi.json").json == DOCUMENT


def test_every_route_stands_in_it_and_has_a_name_of_its_own() -> None:
    routes = [(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods]
    assert len(routes) >= 45
    names = [DOCUMENT["paths"][path][method]["operationId"] for method, path in routes]
    assert len(names) == len(set(names))
    assert {route.tag for noun in NOUNS for route in noun.routes(_Unbuilt()).found} == {
        tag for path in DOCUMENT["paths"].values() for one in path.values() for tag in one["tags"]
    }
    assert all(one["summary"] for path in DOCUMENT["paths"].values() for one in path.values())


schema = schemathesis.openapi.from_dict(DOCUMENT)
schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
CASES = schema.parametrize()


@CASES
@hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.generate],
    database=None,
)
def test_nothing_that_is_allowed_breaks_the_server(case: schemathesis.Case[Any], busy: Serving) -> None:
    if case.path in NEVER:
        return
    for name, value in case.path_parameters.items():
        case.path_parameters[name] = _known(busy, name, value)
    response = case.call(
        base_url=f"http://127.0.0.1:{busy.port}", headers={"Authorization": f"Bearer {_token(busy)}"}
    )
    try:
        case.validate_response(
            response,
            checks=[
                checks.not_a_server_error,
                checks.status_code_conformance,
                checks.content_type_conformance,
                checks.response_schema_conformance,
            ],
        )
    except FailureGroup as failures:
        pytest.fail("\n".join(str(failure) for failure in failures.exceptions))


def _known(served: Serving, name: str, value: Any) -> Any:
    """Every other time something that there is."""
    if len(str(value)) % 2:
        return value
    match name:
        case "run_id":
            runs = served.get("/api/runs?limit=2").json["items"]
            return runs[len(str(value)) // 2 % 2]["id"]
        case "name":
            return ("hi", "poet")[len(str(value)) // 2 % 2]
        case _:
            return value


_tokens: dict[int, str] = {}


def _token(served: Serving) -> str:
    if served.port not in _tokens:
        _tokens[served.port] = served.token()
    return _tokens[served.port]

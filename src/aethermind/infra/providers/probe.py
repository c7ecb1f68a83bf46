"""Asking providers whether they answer and take the key, by listing their models: nothing is generated, so
nothing is billed. Only `doctor --check` and `models --check` do this.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping

import msgspec

from aethermind.infra.providers.endpoints import Endpoint, headers_of
from aethermind.infra.providers.names import host_of
from aethermind.infra.secrets import Key, Secrets

SECONDS = 10.0
MOST_MODELS = 1_000
ANTHROPIC_VERSION = "2023-06-01"


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider answered. `problem` is one line for people, None if all is well."""

    provider: str
    host: str
    took_ms: int
    problem: str | None = None
    hint: str | None = None
    models: tuple[str, ...] | None = None
    """What it says it has, by the vendor's names; None if it did not say."""


async def probe(
    endpoints: Mapping[str, Endpoint], secrets: Secrets, environ: Mapping[str, str]
) -> list[Probe]:
    """Ask all providers that are ready to be asked, at once; each for at most ten seconds."""
    asked = []
    for endpoint in endpoints.values():
        if endpoint.kind not in {"openai", "anthropic", "ollama"} or endpoint.registered:
            continue
        key = await asyncio.to_thread(secrets.find, endpoint.name)
        if key is not None or not endpoint.needs_key:
            asked.append(_ask(endpoint, key, headers_of(endpoint, environ)))
    return list(await asyncio.gather(*asked))


async def _ask(endpoint: Endpoint, key: Key | None, headers: dict[str, str]) -> Probe:
    import httpx2

    base = endpoint.base_url.rstrip("/")
    match endpoint.kind:
        case "anthropic":
            url = f"{base}/v1/models"
            headers = {"anthropic-version": ANTHROPIC_VERSION, **headers}
            headers |= {"x-api-key": key.value} if key is not None else {}
        case "ollama":
            url = f"{base}/api/tags"
            headers = headers | ({"authorization": f"Bearer {key.value}"} if key is not None else {})
        case _:
            url = f"{base}/models"
            headers = headers | ({"authorization": f"Bearer {key.value}"} if key is not None else {})
    start = time.monotonic()
    problem: str | None = None
    hint: str | None = None
    models: tuple[str, ...] | None = None
    try:
        async with httpx2.AsyncClient(timeout=SECONDS) as client:
            response = await client.get(url, headers=headers)
        status = response.status_code
        if status in {401, 403}:
            problem = f"{status}: the key {key.masked if key else ''} was refused".replace("  ", " ")
            hint = f"aethermind auth {endpoint.name}"
        elif status >= 400:
            problem = f"answered with {status}"
        else:
            models = _listed(response.content)
    except httpx2.TimeoutException:
        problem = f"no answer within {SECONDS:.0f} s"
    except httpx2.HTTPError as error:
        problem = f"cannot be reached: {type(error).__name__}"
        hint = "start it with: ollama serve" if endpoint.local else None
    took = round((time.monotonic() - start) * 1000)
    return Probe(
        provider=endpoint.name, host=host_of(base), took_ms=took, problem=problem, hint=hint, models=models
    )


def _listed(body: bytes) -> tuple[str, ...] | None:
    """The names in a list of models: OpenAI's and Anthropic's `data`, Ollama's `models`."""
    try:
        found = json.loads(body)
        items = found["data"] if found.get("data") else found["models"]
        names = [str(item.get("id") or item["name"]) for item in items]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return tuple(name.removesuffix(":latest") for name in names[:MOST_MODELS])

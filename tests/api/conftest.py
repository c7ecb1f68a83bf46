from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.serving import Serving


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    """One server for the tests of a module; none of them breaks it."""
    with Serving() as serving:
        yield serving
        assert serving.complaints == []

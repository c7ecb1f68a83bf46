"""What every recorded fact is: an immutable record with a schema version of its type."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

Json = Any


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of all events. `v` is the schema version of the type."""

    v: ClassVar[int] = 1

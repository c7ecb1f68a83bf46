"""Events that go out together, written once for all who get them."""

from __future__ import annotations

from bisect import bisect_right


class Batch:
    """Events that go out together. `text` is made once."""

    __slots__ = ("_text", "parts", "seqs", "size")

    def __init__(self, seqs: list[int], parts: list[bytes]) -> None:
        self.seqs = seqs
        self.parts = parts
        self.size = sum(map(len, parts))
        self._text: str | None = None

    def text(self, after: int) -> str | None:
        """The message without what is not after this seq; None if nothing is left."""
        if not self.seqs or self.seqs[-1] <= after:
            return None
        if self.seqs[0] > after:
            if self._text is None:
                self._text = events_text(self.parts)
            return self._text
        return events_text([p for s, p in zip(self.seqs, self.parts, strict=True) if s > after])

    def up_to(self, seq: int) -> Batch:
        """What of it is not after this seq."""
        if not self.seqs or self.seqs[-1] <= seq:
            return self
        kept = bisect_right(self.seqs, seq)
        return Batch(self.seqs[:kept], self.parts[:kept])


def events_text(parts: list[bytes]) -> str:
    return (b'{"type":"events","events":[' + b",".join(parts) + b"]}").decode()

"""What the simulated provider says when no script does: readable prose, and values that fit a schema.

Everything is drawn from one seed, so the same call always gets the same answer.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

_STOP = frozenset({
    "about", "above", "after", "again", "also", "answer", "because", "been", "before", "being", "below",
    "between", "both", "cannot", "could", "does", "doing", "down", "during", "each", "ever", "every",
    "exactly", "from", "further", "give", "given", "have", "having", "here", "into", "itself", "just",
    "list", "make", "many", "more", "most", "much", "must", "only", "other", "over", "please", "same",
    "section", "sections", "should", "since", "some", "such", "than", "that", "them", "then", "there",
    "these", "they", "this", "those", "through", "topic", "under", "until", "using", "very", "want", "were",
    "what", "when", "where", "which", "while", "whom", "will", "with", "without", "write", "would", "your",
    # the language of prompts
    "answers", "brief", "five", "four", "heading", "headings", "item", "items", "leave", "line", "lines",
    "markdown", "name", "names", "paragraph", "paragraphs", "plain", "question", "questions", "reader",
    "return", "sentence", "sentences", "short", "step", "text", "three", "title", "word", "words",
})  # fmt: skip
_WORD = re.compile(r"[A-Za-z][A-Za-z-]{3,24}")

# No verb agrees with {a} or {b}: they may be singular or plural.
_OPENINGS = (
    "Three things stand out about {a}.",
    "The short answer on {a} depends on {b}.",
    "Most accounts of {a} begin with {b}, and that seems a fair place to start.",
    "What we know about {a} has changed in the last few years.",
    "It helps to separate {a} from {b} before judging either.",
)
_SENTENCES = (
    "The evidence on {a} points two ways, and the stronger half of it concerns {b}.",
    "Where somebody measured {a} carefully, the effect was smaller than expected but steady.",
    "Much of the disagreement comes from mixing {a} with {b}.",
    "A plain comparison makes it clearer: with {a} the cost comes early, with {b} it comes late.",
    "Two independent sources agree on this, and one contradicts them for a reason worth reading.",
    "None of this settles the question of {b}, which needs other data.",
    "In practice people notice {a} only after trouble with {b}.",
    "The numbers are modest, yet they hold across every case that was looked at.",
    "That leaves a gap: nobody has followed {a} for longer than a few years.",
    "Seen from {b}, the same facts read quite differently.",
    "The usual objection to this view of {a} rests on a handful of cases.",
    "A small change in the handling of {b} removes most of the trouble.",
    "This part is certain, and it is enough to act on.",
    "The exceptions are few and have causes of their own.",
    "Older work on {a} used a coarser method and found much the same.",
    "Whoever has to decide about {b} should begin with the cheapest test.",
    "The link between {a} and {b} is real, but weaker than its reputation.",
    "Cost speaks against {a} in the first year and for it afterwards.",
    "One detail is easy to miss: the figures for {b} leave out the slow cases.",
    "What changes the picture is time, more than anything about {a}.",
)
_CLOSINGS = (
    "On balance, start with {a} and let {b} wait.",
    "The next useful step would be a small, honest test of {a}.",
    "Until then, the careful reading puts {a} before {b}.",
    "That is the whole of it; the rest is detail.",
)
_PHRASES = (
    "What to know about {a}",
    "Where {a} and {b} meet",
    "{a} and {b}",
    "Limits of {a}",
    "Measuring {a}",
    "What {b} can change",
    "Open questions on {a}",
    "{a} in practice",
    "The cost of {b}",
    "What to do about {a}",
)
_TITLES = {"title", "name", "heading", "headline", "subject", "label", "topic"}
_RISING = {"score", "rating", "grade", "confidence", "quality"}
_PASSING = {"done", "approved", "ok", "passed", "pass", "valid", "accepted", "good"}
_FORMATS = {
    "date": "2026-03-14",
    "date-time": "2026-03-14T09:26:53Z",
    "time": "09:26:53Z",
    "duration": "PT15M",
    "email": "reader@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/notes",
    "ipv4": "192.0.2.7",
    "ipv6": "2001:db8::7",
    "uuid": "3f2b8c1e-5d47-4a90-9b6f-1c2d3e4f5a6b",
}
_MAX_DEPTH = 12
_MAX_VALUES = 2_000
"""A recursive schema grows no further than this."""


class Inventor:
    """Draws texts and values. `basis` is whatever identifies the call; `prompt` gives the words that the
    texts are about; `round_number` lets scores rise in a loop, so that it comes to its end."""

    def __init__(self, basis: str, prompt: str, *, round_number: int = 1) -> None:
        # random() alone is promised to stay the same in every version of Python.
        seed = int.from_bytes(hashlib.sha256(basis.encode()).digest()[:8], "big")
        self._random = random.Random(seed).random
        self._words = topics(prompt)
        self._round = round_number
        self._definitions: Mapping[str, Any] = {}
        self._drawn = 0

    def prose(self, *, max_tokens: int | None = None) -> tuple[str, bool]:
        """Two to four paragraphs; whether they were cut at `max_tokens` (4 bytes each)."""
        left = list(_SENTENCES)
        paragraphs = []
        for _ in range(2 + self._below(3)):
            drawn = [left.pop(self._below(len(left))) for _ in range(2 + self._below(3))]
            paragraphs.append(" ".join(self._sentence([template]) for template in drawn))
        paragraphs[0] = f"{self._sentence(_OPENINGS)} {paragraphs[0]}"
        paragraphs[-1] = f"{paragraphs[-1]} {self._sentence(_CLOSINGS)}"
        text = "\n\n".join(paragraphs)
        limit = None if max_tokens is None else max_tokens * 4
        return (text, False) if limit is None or len(text) <= limit else (text[:limit], True)

    def value(self, schema: Mapping[str, Any]) -> Any:
        """A JSON value that fits `schema` as far as it can be drawn: no `not`, no `if`, no free `pattern`."""
        self._definitions = schema.get("$defs") or schema.get("definitions") or {}
        return self._draw(schema, "", 0)

    def _draw(self, schema: Any, name: str, depth: int) -> Any:
        self._drawn += 1
        if self._drawn > _MAX_VALUES:
            depth += _MAX_DEPTH
        if not isinstance(schema, Mapping):  # true: anything goes
            return self._phrase()
        if reference := schema.get("$ref"):
            target = self._definitions.get(str(reference).rsplit("/", 1)[-1], {})
            return self._draw(target, name, depth + 1)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._one(schema["enum"])
        for key in ("anyOf", "oneOf"):
            if variants := schema.get(key):
                rest = {k: v for k, v in schema.items() if k != key}
                return self._draw(_merged(rest, self._variant(variants, depth)), name, depth)
        if parts := schema.get("allOf"):
            whole = {k: v for k, v in schema.items() if k != "allOf"}
            for part in parts:
                whole = _merged(whole, self._resolved(part))
            return self._draw(whole, name, depth)
        match self._type(schema, depth):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer":
                return self._number(schema, name, whole=True)
            case "number":
                return self._number(schema, name, whole=False)
            case "boolean":
                return self._round > 1 if name in _PASSING else self._random() < 0.5
            case "null":
                return None
            case _:
                return self._string(schema, name)

    def _type(self, schema: Mapping[str, Any], depth: int) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            if depth > _MAX_DEPTH and "null" in kind:
                return "null"
            kind = next((one for one in kind if one != "null"), "null")
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
        return str(kind)

    def _variant(self, variants: Sequence[Any], depth: int) -> Any:
        resolved = [self._resolved(variant) for variant in variants]
        if depth > _MAX_DEPTH:  # a recursive schema: take the way out
            simple = [v for v in resolved if v.get("type") not in {"object", "array"}]
            return simple[0] if simple else resolved[-1]
        solid = [variant for variant in resolved if variant.get("type") != "null"] or resolved
        return self._one(solid)

    def _resolved(self, schema: Any) -> Mapping[str, Any]:
        for _ in range(_MAX_DEPTH):
            if not isinstance(schema, Mapping):
                return {}
            if "$ref" not in schema:
                return schema
            schema = self._definitions.get(str(schema["$ref"]).rsplit("/", 1)[-1], {})
        return {}

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties: Mapping[str, Any] = schema.get("properties") or {}
        required = schema.get("required") or ()
        deep = depth > _MAX_DEPTH
        drawn = {
            key: self._draw(inner, key, depth + 1)
            for key, inner in properties.items()
            if key in required or not deep
        }
        more = schema.get("additionalProperties")
        for key in required:
            if key not in drawn:
                drawn[key] = self._draw(more if isinstance(more, Mapping) else {}, key, depth + 1)
        if more is not False:
            least = schema.get("minProperties", 1 if isinstance(more, Mapping) and not properties else 0)
            while len(drawn) < least:
                key = f"{self._one(self._words).lower()}-{len(drawn) + 1}"
                drawn[key] = self._draw(more if isinstance(more, Mapping) else {}, key, depth + 1)
        return drawn

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", max(least, 5))
        count = least if depth > _MAX_DEPTH else max(least, min(most, 3 + self._below(2)))
        prefix = list(schema.get("prefixItems") or ())
        items = schema.get("items", {})
        if items is False:
            count = min(count, len(prefix))
        drawn: list[Any] = []
        for _ in range(count * 8):  # a set of values may need several draws
            if len(drawn) == count:
                break
            inner = prefix[len(drawn)] if len(drawn) < len(prefix) else items
            value = self._item(inner, name, depth)
            if value not in drawn or not schema.get("uniqueItems"):
                drawn.append(value)
        return drawn

    def _item(self, schema: Any, name: str, depth: int) -> Any:
        plain = isinstance(schema, Mapping) and set(schema) <= {"type", "description", "title"}
        if plain and schema.get("type") == "string":
            return self._phrase()
        return self._draw(schema, name, depth + 1)

    def _number(self, schema: Mapping[str, Any], name: str, *, whole: bool) -> int | float:
        low, high = schema.get("minimum"), schema.get("maximum")
        step = schema.get("multipleOf") or (1 if whole else 0.01)
        if low is None and (open_low := schema.get("exclusiveMinimum")) is not None:
            low = open_low + step
        if high is None and (open_high := schema.get("exclusiveMaximum")) is not None:
            high = open_high - step
        if low is None:
            low = min(0, high - 10) if high is not None else 0
        if high is None:
            high = low + 10 if low > 0 else 10
        span = max(high - low, 0)
        share = min(0.4 + 0.2 * self._round, 1.0) if name in _RISING else self._random()
        first = -(-low // step)  # the first multiple that is not below
        last = high // step
        count = int(first + (last - first) * share + 0.5) if span else first
        value = min(max(count, first), max(last, first)) * step
        return int(value) if whole else round(float(value), 6)

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        if (text := _FORMATS.get(str(schema.get("format")))) is not None:
            return text
        text = self._phrase() if name.lower() in _TITLES else self._sentence(_SENTENCES)
        if pattern := schema.get("pattern"):
            text = _fitting(str(pattern), text)
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        while len(text) < least:
            text = f"{text} {self._sentence(_SENTENCES)}"
        if most is None or len(text) <= most:
            return text
        return text[:most].rstrip().ljust(least, "x")

    def _phrase(self) -> str:
        text = self._sentence(_PHRASES)
        return text[0].upper() + text[1:]

    def _sentence(self, choices: Sequence[str]) -> str:
        a = self._one(self._words)
        others = [word for word in self._words if word != a]
        text = self._one(choices).format(a=a, b=self._one(others or self._words))
        return text[0].upper() + text[1:]

    def _one(self, options: Sequence[T]) -> T:
        return options[self._below(len(options))]

    def _below(self, limit: int) -> int:
        return int(self._random() * limit)


def topics(prompt: str) -> tuple[str, ...]:
    """The words that a prompt seems to be about, at most six: those that come back, then the longest."""
    words = Counter(word for word in _WORD.findall(prompt[-4_000:]) if word.lower() not in _STOP)
    ranked = sorted(words, key=lambda word: (-words[word], -len(word), word))
    return tuple(ranked[:6]) or ("the matter", "the question")


def _merged(base: Mapping[str, Any], extra: Any) -> dict[str, Any]:
    """Two schemas that both have to hold, as far as objects go."""
    merged = {**base, **(extra if isinstance(extra, Mapping) else {})}
    if isinstance(extra, Mapping):
        if "properties" in base and "properties" in extra:
            merged["properties"] = {**base["properties"], **extra["properties"]}
        if "required" in base and "required" in extra:
            merged["required"] = list(dict.fromkeys([*base["required"], *extra["required"]]))
    return merged


def _fitting(pattern: str, text: str) -> str:
    """The first of a few common shapes that the pattern accepts; the text itself if none does."""
    shapes = (text, "alpha", "ALPHA", "alpha-1", "A-1", "a1b2c3", "42", "2026-03-14", "1.2.3", "#1a2b3c", "x")
    for shape in shapes:
        try:
            if re.search(pattern, shape):
                return shape
        except re.error:
            return text
    return text

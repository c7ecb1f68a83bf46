"""Broken files that are better made than kept: huge ones, deep ones, raw bytes."""

from __future__ import annotations

HEAD = b"name: broken\nsteps:\n"


def generated() -> dict[str, tuple[bytes, str, str]]:
    """Name → (content, `line:column`, fragment of the message)."""
    many = b"".join(b"  - {id: s%d, value: 1}\n" % n for n in range(10_001))
    circle = b"".join(b'  - {id: s%d, value: "{{ s%d }}"}\n' % (n, (n + 1) % 5_000) for n in range(5_000))
    step = b"  - {id: a, value: 1}\n"
    return {
        "huge": (HEAD + step + b"# " + b"x" * (1 << 20), "1:1", "larger than 1 MiB"),
        "deep-brackets": (HEAD + b"  - {id: a, value: " + b"[" * 30_000, "3:81", "deeper than 64"),
        "deep-mappings": (HEAD + b"  - {id: a, value: " + b"{a: " * 30_000, "3:264", "deeper than 64"),
        "deep-dashes": (b"- " * 100_000, "1:129", "deeper than 64"),
        "wide": (HEAD + b"  - {id: a, value: [" + b"1," * 200_000, "3:200009", "100,000 values"),
        "many-steps": (HEAD + many, "10003:5", "more than 10,000 steps"),
        "long-number": (HEAD + b"  - {id: a, value: " + b"9" * 5_000 + b"}\n", "3:20", "too large"),
        "long-float": (HEAD + b"  - {id: a, value: 1e9999}\n", "3:20", "too large for a number"),
        "fan-out": (
            HEAD
            + b"  - id: g\n    for_each: ["
            + b"1," * 1_000
            + b"]\n    steps:\n"
            + b"".join(b"      - {id: s%d, value: 1}\n" % n for n in range(200)),
            "3:3",
            "more than 100,000",
        ),
        "long-cycle": (
            HEAD + circle,
            "3:25",
            "s0 → s1 → s2",
        ),
        "nested-expression": (
            HEAD + b'  - {id: a, value: "{{ ' + b"(" * 3_000 + b"1" + b")" * 3_000 + b' }}"}\n',
            "3:20",
            "nested too deep",
        ),
        "nul-at-the-end": (HEAD + step + b"\0", "4:1", "NUL"),
        "bom-inside-bad-utf8": (b"\xef\xbb\xbfname: broken\n\xff", "2:1", "not UTF-8"),
        "schema-bomb": (
            b"name: broken\nschemas:\n"
            + b"".join(b"  s%d: {a: s%d, b: s%d?}\n" % (n, n + 1, n + 1) for n in range(60))
            + b"  s60: string\nsteps:\n" + step,
            "52:8",
            "too large with its names written out",
        ),
    }  # fmt: skip

"""Markdown as lines, through rich, once the text is whole.

The text is clean before it is read and every piece is cleaned again afterwards: Markdown can spell any
character (`&#8238;`). Links are shown as text, never as links of the terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from io import StringIO

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.theme import Theme

from aethermind.infra.sanitize import clean, clean_line
from aethermind.tui.screens.detail.lines import Line, Span, text_lines

LARGEST = 100_000
"""Longer texts are shown as they are: laying them out would take longer than a key may."""


_PLAIN = {
    **str.maketrans({"•": "*", "▌": ">", **dict.fromkeys("─━═╌", "-"), **dict.fromkeys("│┃║", "|")}),
    **dict.fromkeys(range(0x250C, 0x254C), "+"),
}
"""What rich draws of itself."""


def ready() -> bool:
    """Whether the parser is loaded; it takes longer than a key may."""
    return "rich.markdown" in sys.modules


def render(
    text: str, *, width: int, dark: bool, styles: Mapping[str, Style], ascii: bool = False
) -> list[Line]:
    """`styles` has `accent`, `heading`, `dim`, `code`, `strong`, `key` for the parts of Markdown. `ascii`:
    bullets, rules and tables are drawn with plain signs.
    """
    from rich.markdown import Markdown

    text = clean(text)
    if len(text) > LARGEST:
        return text_lines(text)
    console = Console(
        file=StringIO(),
        width=max(width, 10),
        theme=_theme(styles),
        color_system="truecolor",
        force_terminal=True,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    # Code takes its colours from the terminal's own palette, which themes map.
    page = Markdown(text, code_theme="ansi_dark" if dark else "ansi_light", hyperlinks=False)
    rows = console.render_lines(page, console.options, pad=False)
    signs = _PLAIN if ascii else {}
    return [_line(row, signs) for row in rows]


def _line(row: list[Segment], signs: Mapping[int, str]) -> Line:
    spans = [
        Span(clean_line(text).translate(signs), style or "")
        for text, style, control in Segment.simplify(row)
        if not control
    ]
    while spans and not _has_background(spans[-1].style):
        text, style = spans.pop()
        if bare := text.rstrip():
            spans.append(Span(bare, style))
            break
    return tuple(spans)


def _has_background(style: str | Style) -> bool:
    return isinstance(style, Style) and style.bgcolor is not None


def _theme(styles: Mapping[str, Style]) -> Theme:
    plain = Style.null()
    heading = styles.get("heading", plain)
    return Theme(
        {
            "markdown.h1": heading + Style(bold=True, underline=True),
            "markdown.h1.border": styles.get("dim", plain),
            "markdown.h2": heading + Style(bold=True),
            "markdown.h3": heading + Style(bold=True),
            "markdown.h4": heading,
            "markdown.h5": heading,
            "markdown.h6": heading + Style(italic=True),
            "markdown.h7": heading,
            "markdown.code": styles.get("code", plain),
            "markdown.code_block": styles.get("code", plain),
            "markdown.block_quote": styles.get("dim", plain),
            "markdown.list": plain,
            "markdown.item.bullet": styles.get("accent", plain),
            "markdown.item.number": styles.get("accent", plain),
            "markdown.hr": styles.get("dim", plain),
            "markdown.link": styles.get("key", plain),
            "markdown.link_url": styles.get("dim", plain),
            "markdown.strong": Style(bold=True),
            "markdown.em": Style(italic=True),
            "markdown.table.border": styles.get("dim", plain),
            "markdown.table.header": styles.get("strong", plain),
        }
    )

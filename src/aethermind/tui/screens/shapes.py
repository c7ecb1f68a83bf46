"""What the main screen shows in so much room.

full    from 120 columns: everything at once; from 160 the step under the cursor beside it
tabs    80 to 119: one pane, the logs below
single  fewer, or few lines, or zoomed: one pane
tiny    below 60×16: one line that says it all
"""

from __future__ import annotations

from typing import Literal

WIDE = 160
"""Columns from which on the step under the cursor stands beside the trace."""
Shape = Literal["full", "tabs", "single", "tiny"]


def shape_of(width: int, height: int, *, zoomed: bool) -> Shape:
    if width < 60 and height < 16:
        return "tiny"
    if zoomed or width < 80 or height < 18:
        return "single"
    return "full" if width >= 120 and height >= 24 else "tabs"

"""How much room the panes of the main screen take: what the style says, or what somebody made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from aethermind.tui.remembered import LOGS, SIDE

if TYPE_CHECKING:
    from aethermind.tui.screens.main import MainScreen
    from aethermind.tui.screens.shapes import Shape

STEP = {"side": 3, "logs": 2}
"""Cells that one key moves an edge by."""
_TRACE = 60
"""Columns that are left for the trace, whatever is wished for at the side."""
_UPPER = 10
"""Lines that are left above the logs."""
Edge = Literal["side", "logs"]


class Layout:
    """Sizes in cells; None: as the style says."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._shape: Shape = "full"
        self.side: int | None = None
        self.logs: int | None = None

    def settle(self, shape: Shape) -> None:
        """Give the panes their sizes where they stand beside one another: in this shape, in this room."""
        self._shape = shape
        width, height = self._screen.app.size
        side = self._screen.query_one("#side").styles
        logs = self._screen.logs.styles
        beside = shape == "full"
        side.width = min(self.side, max(width - _TRACE, SIDE[0])) if self.side and beside else None
        below = beside or (shape == "tabs" and not self._screen.has_class("-on-logs"))
        lines = min(self.logs, max(height - _UPPER, LOGS[0])) if self.logs and below else None
        logs.height = lines
        logs.min_height = min(lines, LOGS[0]) if lines is not None else None

    def fixed(self, edge: Edge) -> str | None:
        """Why this edge can't be moved just now; None: it can."""
        if self._shape == "full" or (self._shape == "tabs" and edge == "logs"):
            return None
        return (
            "one pane fills the screen: z puts it back" if self._screen.zoomed else "there is no room for it"
        )

    def move(self, edge: Edge, by: int) -> None:
        """Move an edge by so many steps, from where it is now."""
        if edge == "side":
            now = self.side or self._screen.query_one("#side").size.width or SIDE[0]
            self.side = min(max(now + by * STEP["side"], SIDE[0]), SIDE[1])
        else:
            self._move_logs(by)
        self._again()

    def _move_logs(self, by: int) -> None:
        now = self.logs or self._screen.logs.size.height or LOGS[0]
        self.logs = min(max(now + by * STEP["logs"], LOGS[0]), LOGS[1])

    def reset(self) -> None:
        """As the style says."""
        self.side = self.logs = None
        self._again()

    def _again(self) -> None:
        self.settle(self._shape)
        self._screen.call_after_refresh(self._screen.refresh_all)

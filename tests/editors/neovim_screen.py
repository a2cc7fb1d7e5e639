"""What Neovim draws: a grid of cells, each with a character and colours (``:help ui-linegrid``)."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

#: Tests give this colour to ghost text and to nothing else.
GHOST = 0x7A8899


@dataclass(frozen=True, slots=True)
class Cell:
    """One character; empty if the one before it is two cells wide."""

    text: str = " "
    highlight: int = 0


@dataclass(slots=True)
class Screen:
    """The only grid of a Neovim without ``ext_multigrid``."""

    width: int
    height: int
    cursor: tuple[int, int] = (0, 0)
    mode: str = "normal"
    highlights: dict[int, dict[str, Any]] = field(default_factory=lambda: {0: {}})
    colours: tuple[int, int] = (0xFFFFFF, 0x000000)
    _cells: list[list[Cell]] = field(default_factory=list)

    def take(self, event: list[Any]) -> None:
        """Apply one event of ``redraw``, which may hold several calls."""
        name, *batch = event
        handler = getattr(self, f"_{name}", None)
        if handler is not None:
            for arguments in batch:
                handler(*arguments)

    def _grid_resize(self, _grid: int, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._grid_clear(_grid)

    def _grid_clear(self, _grid: int) -> None:
        self._cells = [[Cell()] * self.width for _ in range(self.height)]

    def _grid_line(self, _grid: int, row: int, column: int, cells: list[list[Any]], *_: object) -> None:
        highlight = 0
        for text, *rest in cells:
            highlight = rest[0] if rest else highlight
            count = rest[1] if len(rest) > 1 else 1
            self._cells[row][column : column + count] = [Cell(text, highlight)] * count
            column += count

    def _grid_scroll(self, _grid: int, *area: int) -> None:
        top, bottom, left, right, rows, _columns = area
        moved = range(top, bottom) if rows > 0 else range(bottom - 1, top - 1, -1)
        for row in moved:
            if top <= row + rows < bottom:
                self._cells[row][left:right] = self._cells[row + rows][left:right]

    def _grid_cursor_goto(self, _grid: int, row: int, column: int) -> None:
        self.cursor = (row, column)

    def _hl_attr_define(self, number: int, rgb: dict[str, Any], *_: object) -> None:
        self.highlights[number] = rgb

    def _default_colors_set(self, foreground: int, background: int, *_: object) -> None:
        self.colours = (foreground, background)

    def _mode_change(self, mode: str, _index: int) -> None:
        self.mode = mode

    def text(self) -> str:
        """The whole screen as lines."""
        return "\n".join("".join(cell.text for cell in row).rstrip() for row in self._cells)

    def ghost(self) -> str:
        """The text with the colour of ghost text as lines; empty if there is none."""
        rows = ("".join(cell.text for cell in row if self._is_ghost(cell)) for row in self._cells)
        return "\n".join(row.rstrip() for row in rows if row.strip())

    def _is_ghost(self, cell: Cell) -> bool:
        return self.highlights.get(cell.highlight, {}).get("foreground") == GHOST

    def html(self) -> str:
        """The screen as the body of an HTML page."""
        rows = (
            "".join(self._cell_html(cell, (y, x)) for x, cell in enumerate(row))
            for y, row in enumerate(self._cells)
        )
        return "\n".join(rows)

    def _cell_html(self, cell: Cell, position: tuple[int, int]) -> str:
        look = self.highlights.get(cell.highlight, {})
        foreground = look.get("foreground", self.colours[0])
        background = look.get("background", self.colours[1])
        if look.get("reverse"):
            foreground, background = background, foreground
        style = f"color:#{foreground:06x};background:#{background:06x}"
        style += "".join(f";{css}" for flag, css in _CSS.items() if look.get(flag))
        kind = ' class="cursor"' if position == self.cursor else ""
        return f'<span{kind} style="{style}">{html.escape(cell.text)}</span>'


_CSS = {"bold": "font-weight:bold", "italic": "font-style:italic", "underline": "text-decoration:underline"}

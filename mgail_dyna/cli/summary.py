"""What a command prints: a summary of one thing as a table, and lines that fit the terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table


def summary_table(title: str, rows: Mapping[str, str]) -> Table:
    """A table with one row for each entry. Brackets in paths and texts are shown as they are, not read as markup."""
    table = Table(title=escape(title), title_justify="left", show_header=False)
    for name, value in rows.items():
        table.add_row(name, escape(value))
    return table


def wrapped(line: str) -> str:
    """`line` in lines that a terminal need not break, all with its indentation; whole where there is no terminal."""
    if not sys.stdout.isatty():
        return line
    width, indent = shutil.get_terminal_size().columns, line[: len(line) - len(line.lstrip())]
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)

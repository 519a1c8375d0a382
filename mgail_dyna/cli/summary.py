"""A command's summary of one thing, as a table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table


def summary_table(title: str, rows: Mapping[str, str]) -> Table:
    """A table with one row for each entry. Brackets in paths and texts are shown as they are, not read as markup."""
    table = Table(title=escape(title), title_justify="left", show_header=False)
    for name, value in rows.items():
        table.add_row(name, escape(value))
    return table

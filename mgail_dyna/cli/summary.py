"""What a command has to say of one thing, as a table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table


def summary_table(title: str, rows: Mapping[str, str]) -> Table:
    """A row each, told as they are: brackets in a user's paths and texts are no markup."""
    table = Table(title=escape(title), title_justify="left", show_header=False)
    for name, told in rows.items():
        table.add_row(name, escape(told))
    return table

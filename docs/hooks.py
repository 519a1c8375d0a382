"""What the site does beyond plain MkDocs: notebooks become pages, equations become MathML.

MathML is drawn by the browser itself, so no page needs a script or the network to show an equation.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import nbformat
from latex2mathml.converter import convert
from mkdocs.structure.files import File
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parents[1]
# What pymdownx.arithmatex writes with `generic: true`.
EQUATION = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
# A link from a page to a file of the repository outside docs/: [words](../path).
OUTWARD = re.compile(r"\[([^\]]+)\]\(\.\./(?!\.\.)([^)#\s]+)[^)]*\)")


def on_files(files: Any, config: Any) -> Any:
    """Adds a page for each notebook, as it was committed: executed, with its figures. Nothing is executed here."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        body, resources = MarkdownExporter().from_notebook_node(nbformat.read(path, as_version=4))
        for name, picture in resources["outputs"].items():
            body = body.replace(f"]({name})", f"]({path.stem}/{name})")
            files.append(File.generated(config, f"notebooks/{path.stem}/{name}", content=picture))
        head = f"*Made from `notebooks/{path.name}`, which you can run yourself.*\n\n"
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=_after_title(body, head)))
    return files


def _after_title(body: str, line: str) -> str:
    title, _, rest = body.lstrip().partition("\n")
    return f"{title}\n\n{line}{rest}"


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links to files that the site does not hold become their paths in the repository."""
    if page.file.src_uri.count("/"):
        return markdown
    return OUTWARD.sub(lambda found: f"{found[1]} (`{found[2]}`)".replace("`` ", "` "), markdown)


def on_page_content(content: str, page: Any, config: Any, files: Any) -> str:
    """Equations become MathML."""
    return EQUATION.sub(_mathml, content)


def _mathml(found: re.Match[str]) -> str:
    kind, latex = found[1], html.unescape(found[3]).strip()
    mathml = convert(latex, display="block" if kind == "div" else "inline")
    return f'<{kind} class="equation">{mathml}</{kind}>'

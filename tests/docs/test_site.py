"""The documentation site builds strictly, shows its equations without the network, and says what the code says."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mgail_dyna

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
# A block of code that says which file it is from.
QUOTED = re.compile(r'^```python title="([^"]+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)
# Whatever a browser loads with the page; links that a reader may follow are not among them.
LOADED = re.compile(r'<(?:script|img|iframe|source)[^>]*?src="?(?:https?:)?//|<link[^>]*?href="?(?:https?:)?//')


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site's directory."""
    directory = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return directory


@pytest.mark.slow
def test_the_site_has_a_page_for_every_document_and_notebook(site):
    sources = [path.relative_to(DOCS) for path in PAGES]
    sources += [path.relative_to(ROOT) for path in (ROOT / "notebooks").glob("*.ipynb")]
    assert len(sources) > 15
    assert not [source for source in sources if not (site / source.with_suffix(".html")).exists()]


@pytest.mark.slow
def test_equations_need_no_script(site):
    page = (site / "how-it-works.html").read_text()
    assert page.count('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"') >= 8
    for path in site.rglob("*.html"):
        assert "arithmatex" not in path.read_text(), path


@pytest.mark.slow
def test_pages_load_nothing_from_the_network(site):
    for path in site.rglob("*.html"):
        assert not LOADED.search(path.read_text()), path
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//|@import", path.read_text()), path


@pytest.mark.slow
def test_notebooks_are_shown_with_their_figures(site):
    page = (site / "notebooks" / "figure4.html").read_text()
    pictures = re.findall(r'src="(figure4/[^"]+\.png)"', page)
    assert len(pictures) >= 4
    assert all((site / "notebooks" / picture).stat().st_size > 10_000 for picture in pictures)


@pytest.mark.slow
def test_the_reference_has_every_public_name_with_its_arguments(site):
    text = "".join(path.read_text() for path in (site / "api").glob("*.html"))
    homes = {f"{home}.{name}" for name, home in mgail_dyna._HOMES.items()}
    assert not [name for name in homes if f'id="{name}"' not in text]
    assert "bptt_clip_norm" in text


def test_the_overview_lists_every_public_name():
    overview = (DOCS / "api" / "index.md").read_text()
    assert not [name for name in mgail_dyna.__all__ if f"[`{name}`][" not in overview]


def test_how_it_works_has_every_equation():
    page = (DOCS / "how-it-works.md").read_text()
    assert not [number for number in range(1, 9) if not re.search(rf"Eq\. (\d (and|or) )?{number}\b", page)]


def test_quoted_code_stands_in_the_file_that_a_page_names():
    quoted = [(path, *block) for path in PAGES for block in QUOTED.findall(path.read_text())]
    assert len(quoted) >= 2
    for path, source, block in quoted:
        lines = {line.strip() for line in (ROOT / source).read_text().splitlines()}
        assert not [line for line in block.splitlines() if line.strip() and line.strip() not in lines], (path, source)


def test_files_that_a_page_names_exist():
    for path in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        named = re.findall(
            r"`((?:mgail_dyna|tests|examples|docs|notebooks)/[\w/.-]+\.(?:py|md|toml|ipynb))`", path.read_text()
        )
        assert not [name for name in named if not (ROOT / name).exists()], path


def test_add_your_own_shows_every_example():
    pages = "".join(path.read_text() for path in PAGES)
    examples = [path for path in (ROOT / "examples").iterdir() if path.suffix in (".py", ".toml")]
    assert not [path.name for path in examples if f'title="examples/{path.name}"\n' not in pages]


def test_the_sites_requirements_are_those_of_the_extra():
    text = (DOCS / "requirements.txt").read_text()
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["docs"]
    assert sorted(filter(None, lines)) == sorted(extra)

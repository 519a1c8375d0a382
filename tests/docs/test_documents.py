"""Documents: tables are those of the records, options and names exist, links resolve, pages are short."""

import ast
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import mgail_dyna
from mgail_dyna.cli.help import HELP
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.reader import load_demonstrations
from mgail_dyna.experiments.markdown import BLOCK, LISTING, experts_table, records_table, refresh
from mgail_dyna.experiments.records import read_record
from mgail_dyna.runs.directory import flatten

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"
# Pages about results; other pages of docs/ have tests of their own.
PAGES = [
    "README.md",
    *(f"docs/{name}.md" for name in ["results", "reproduction", "ablations", "experts", "troubleshooting", "formats"]),
]
GENERATED = ["README.md", *(f"docs/{name}.md" for name in ("results", "reproduction", "experts", "troubleshooting"))]
# An estimate as tables print it: "100.3 [98.4, 100.8]", "19,264 (11,218 to never)".
ESTIMATE = re.compile(r"(?:never|\d) (?:\[[-\d.,]+, [^\]]+\]|\([-\d.,]+ to [^)]+\))")
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Flags that are no fields: those of other programs, and those for help.
OTHERS = {"peer_python", "repeats", *(flag.lstrip("-").replace("-", "_") for flag in HELP)}


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", GENERATED)
def test_tables_are_those_of_the_records(page):
    text = read(page)
    assert BLOCK.search(text)
    assert refresh(text, RESULTS) == text, (
        "write them anew: python -m mgail_dyna.experiments.markdown README.md docs/*.md"
    )


@pytest.mark.parametrize("page", PAGES)
def test_no_estimate_is_typed_by_hand(page):
    assert not ESTIMATE.findall(BLOCK.sub("", read(page)))


@pytest.mark.parametrize("page", ["docs/add-your-own.md", "docs/deploy.md", "docs/how-it-works.md"])
def test_listings_are_the_files_they_name(page):
    text = read(page)
    assert refresh(text, RESULTS) == text, "write them anew: python -m mgail_dyna.experiments.markdown docs/*.md"


def test_a_changed_line_of_a_listing_is_found():
    text = read("docs/add-your-own.md")
    assert len(LISTING.findall(text)) > 5
    changed = text.replace("import gymnasium", "import gym", 1)
    assert refresh(changed, RESULTS) == text != changed


def test_a_changed_number_is_found():
    block = BLOCK.search(read("docs/experts.md"))[0]
    changed = block.replace("7,350", "7,351")
    assert refresh(changed, RESULTS) == block != changed


def test_a_row_is_of_its_task_and_algorithm():
    rows = records_table("--suite learning --task hopper --mode mgail --columns budget worst swing", RESULTS)
    records = [read_record(path) for path in sorted((RESULTS / "learning").glob("hopper-mgail-seed*.json"))]
    worst = min(record.curve["expert_percent"][-1] for record in records)
    swing = stats.trim_mean([np.std(record.curve["expert_percent"][-10:]) for record in records], 0.25)
    *cells, shown = rows[1]
    assert len(rows) == 2 and cells == ["Hopper", "MGAIL", f"0-{len(records) - 1}", "30,000", f"{worst:.1f}"]
    assert float(shown.partition(" [")[0]) == pytest.approx(swing, abs=0.06)


def test_a_row_per_seed_is_of_its_record():
    rows = records_table("--suite learning --task halfcheetah --mode dyna --level 90", RESULTS)
    curve = read_record(RESULTS / "learning" / "halfcheetah-dyna-seed4.json").curve
    first = next(i for i, percent in enumerate(curve["expert_percent"]) if percent >= 90)
    lowest, end = curve["expert_percent"][first:].min(), curve["expert_percent"][-1]
    expected = [f"{curve['env_steps'][first]:,.0f}", f"{lowest:.1f}", f"{end:.1f}", f"{curve['env_steps'][-1]:,.0f}"]
    assert rows[5] == ["HalfCheetah", "Dyna-AIL", "4", *expected]


def test_the_table_of_experts_is_that_of_their_demonstrations():
    row = next(row for row in experts_table() if row[0] == "`swimmer`")
    returns = load_demonstrations("swimmer").returns
    assert row[2:5] == [f"{returns.mean():.1f}", f"{returns.std():.1f}", f"{returns.min():.1f}"]


@pytest.mark.parametrize(("page", "most"), [("README.md", 1_200), ("docs/ablations.md", 1_500)])
def test_pages_are_short(page, most):
    assert len(read(page).split()) <= most


def slugs(text):
    """Anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_resolve(page):
    for link in LINK.findall(read(page)):
        if not link.startswith("http"):
            name, _, anchor = link.partition("#")
            target = (ROOT / page).parent / name if name else ROOT / page
            assert target.exists(), link
            assert not anchor or anchor in slugs(target.read_text(encoding="utf-8")), link


def options():
    """Names of all command-line options: fields of configurations and commands."""
    files = [*(ROOT / "mgail_dyna" / "config").glob("*.py"), *(ROOT / "mgail_dyna" / "cli").rglob("*.py")]
    return {name for path in files for name in re.findall(r"^    (\w+): ", path.read_text(), re.MULTILINE)} | OTHERS


@pytest.mark.parametrize("page", PAGES)
def test_options_exist(page):
    text, known = BLOCK.sub("", read(page)), options()
    grouped = {name for name, _ in flatten(asdict(ImitationConfig())) if "." in name}
    for flag in re.findall(r"(?<![\w-])--([a-z][\w.-]*\w)", text):
        name = flag.replace("-", "_")
        assert name in (grouped if "." in name else known), flag


def test_names_of_the_library_exist():
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", "".join(map(read, PAGES)), re.DOTALL | re.MULTILINE))
    used = {
        node.attr
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "mgail_dyna"
    }
    assert {"load_demonstrations", "ImitationRun"} <= used <= set(mgail_dyna.__all__)

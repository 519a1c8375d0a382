"""What documents say of records is what the records say today."""

import re
from pathlib import Path

import pytest

from mgail_dyna.experiments.suites import FIGURES, SUITES
from mgail_dyna.experiments.tables import summary

ROOT = Path(__file__).resolve().parents[2]
# An estimate as tables print it: "100.3 [98.4, 100.8]", "19,264 [11,218, never]".
ESTIMATE = re.compile(r"(?<![\w.])-?[\d,.]+%? \[[^\]()]+, [^\]()]+\]|never \[[^\]]+\]")


@pytest.fixture(scope="module")
def recorded():
    """Every estimate that `run.py sweep` prints."""
    kinds = {kind for group in (*SUITES.values(), *FIGURES.values()) for kind in group}
    by_task = sorted(kinds, key=lambda kind: (kind.suite, kind.task, kind.name, kind.label))
    table = summary(by_task, ROOT / "results")
    return {str(cell).replace("\\", "") for column in table.columns[3:] for cell in column.cells}


@pytest.mark.parametrize(
    ("document", "section"),
    [("README.md", ""), ("docs/reproduction.md", ""), ("docs/learning.md", "What was aimed at")],
)
def test_estimates_in_documents_are_those_of_the_records(document, section, recorded):
    text = (ROOT / document).read_text()
    if section:
        text = text.split(f"## {section}")[1].split("\n## ")[0]
    # What was measured with other settings says at which commit.
    lines = [line for line in text.splitlines() if "commit `" not in line]
    told = [found.replace("%", "") for line in lines for found in ESTIMATE.findall(line)]
    assert len(told) >= 5
    assert not [found for found in told if found not in recorded]

"""Every notebook runs from top to bottom without a screen, and was committed so."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(HERE.glob("*.ipynb"))


def test_all_are_there():
    names = {"figure4", "figure5", "figure6", "quickstart", "few_demonstrations", "own_data", "beyond"}
    assert {path.stem for path in NOTEBOOKS} == names


@pytest.fixture
def execute(monkeypatch):
    """Runs a notebook from its own directory, without a screen and with less to do."""
    for name, value in {"OMP_NUM_THREADS": "1", "MUJOCO_GL": "egl", "QUICKSTART_ENV_STEPS": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DISPLAY", raising=False)

    def run(notebook):
        return NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(HERE)}}).execute()

    return run


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path, execute):
    execute(nbformat.read(path, as_version=4))


@pytest.mark.slow
def test_figures_stand_where_there_are_records_and_commands_where_there_are_none(execute, results):
    notebook = nbformat.read(HERE / "figure4.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace('Path("../results")', f"Path({str(results)!r})")
    shown = {cell.source: cell.outputs for cell in execute(notebook).cells if cell.cell_type == "code"}
    (figure,) = shown['figures.show("figure4a", RESULTS)']
    assert "image/png" in figure["data"]
    (message,) = shown['figures.show("figure4b", RESULTS)']
    assert message["text"].startswith("figure4b: no records yet; to make the records: python run.py sweep --figure 4b")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_executed_small_and_without_logic(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)
    assert path.stat().st_size < 1_000_000
    assert not any(line.lstrip().startswith(("def ", "class ")) for cell in cells for line in cell.source.splitlines())

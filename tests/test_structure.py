"""Imports go down: a room may use those on lower floors, never those above."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "mgail_dyna"

# Floor by floor; rooms on one floor may use one another if they stand further left.
FLOORS = [
    ["errors", "types"],
    ["config"],
    ["presets", "suites", "statistics"],
    ["normalization", "storage", "replay", "acting", "env_errors", "envs"],
    ["metadata", "expert", "expert_data", "fit", "expert_writer", "layouts", "conversion"],
    ["distributions", "networks"],
    ["advantages", "trust_region", "losses", "unroll"],
    ["updates", "collect", "film"],
    ["experts", "algorithms"],
    ["training"],
    ["runtime", "progress", "runs", "records", "report", "sweeps", "figures", "arguments"],
    ["commands"],
    ["cli"],
]
HEIGHT = {room: (floor, place) for floor, rooms in enumerate(FLOORS) for place, room in enumerate(rooms)}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
WITHOUT_TENSORFLOW = [room for floor in FLOORS[:5] for room in floor] + [
    *("runtime", "progress", "runs", "records", "report", "sweeps", "figures", "arguments", "cli")
]


def imports(path, top_level_only=False):
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [name.name for name in node.names]
            yield from [f"mgail_dyna.{name}" for name in names] if node.module == "mgail_dyna" else [node.module]
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    here = room(path)
    assert here in HEIGHT, f"{here} has no floor; give it one"
    for module in imports(path):
        if module.startswith("mgail_dyna."):
            there = module.split(".")[1]
            assert there == here or HEIGHT[there] < HEIGHT[here], f"{here} must not import {there}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_tensorflow_stays_out_of_the_lower_floors(path):
    if room(path) in WITHOUT_TENSORFLOW:
        assert not {"tensorflow", "keras", "tensorflow_probability"} & set(imports(path, top_level_only=True))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert text.count("\n") <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno + 1 <= 50, f"{node.name} has grown long"

"""Imports go down, TensorFlow stays where it is needed, files and functions stay short, no task has code of its own."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from mgail_dyna.config.presets import environments

PACKAGE = Path(__file__).resolve().parent.parent / "mgail_dyna"
# Packages and single modules, from the bottom up: each may import those before it.
ORDER = (
    *("errors", "types", "runtime"),
    *("config", "seal", "storage", "hdf5", "normalization", "replay", "backend"),
    *("ops", "networks", "environments", "demonstrations", "learners"),
    *("algorithms", "runs", "experiments", "cli", "__main__"),
)
# Everything from which the command line answers before TensorFlow is imported.
WITHOUT_TENSORFLOW = (
    *(
        "errors",
        "types",
        "runtime",
        "config",
        "seal",
        "storage",
        "hdf5",
        "normalization",
        "replay",
        "environments",
        "demonstrations",
    ),
    *("algorithms.base", "algorithms.registry", "networks.numpy_policy"),
    *("runs", "experiments", "cli"),
)
# Imported once a run is to be trained.
WITH_TENSORFLOW = ("cli.session",)
HEAVY = {"tensorflow", "tensorflow_probability", "keras"}
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text()) for path in FILES}
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))


def name_of(path):
    """The module's name without `mgail_dyna.`, as in `cli.main`; empty for the package itself."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


MODULES = {name_of(path): path for path in FILES}


def statements(path):
    """What runs when the module is imported: not what is inside functions or under `if TYPE_CHECKING`."""
    found = []
    for node in TREES[path].body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        found += ast.walk(node) if not isinstance(node, ast.FunctionDef | ast.ClassDef) else []
    return found


def imported(nodes):
    """Modules of this package (without `mgail_dyna.`) and other packages that `nodes` import."""
    own, others = set(), set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{each.name}" for each in node.names]
        else:
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            top, _, rest = name.partition(".")
            if top != "mgail_dyna":
                others.add(top)
            elif rest:
                own.add(rest if rest in MODULES else rest.rpartition(".")[0])
    return own, others


AT_IMPORT = {name: imported(statements(path)) for name, path in MODULES.items()}


def reached(name):
    """Every module of this package that importing `name` imports, itself included."""
    seen, left = set(), {name}
    while left:
        module = left.pop()
        seen.add(module)
        packages = {module.rsplit(".", n)[0] for n in range(1, module.count(".") + 1)}
        left |= (AT_IMPORT[module][0] | (packages & MODULES.keys())) - seen - {""}
    return seen


def room(module):
    return module.partition(".")[0]


def test_every_package_has_its_place():
    assert {room(name) for name in MODULES if name} == set(ORDER)


@each_file
def test_imports_go_down(path):
    here = room(name_of(path))
    for module in imported(ast.walk(TREES[path]))[0]:
        there = room(module)
        assert not there or there == here or ORDER.index(there) < ORDER.index(here), f"{here} must not import {module}"


def test_no_modules_import_one_another():
    circle = None
    try:
        TopologicalSorter({name: own - {name} for name, (own, _) in AT_IMPORT.items()}).prepare()
    except CycleError as error:
        circle = error.args[1]
    assert circle is None


def test_the_check_of_imports_sees_tensorflow():
    assert HEAVY & set().union(*(AT_IMPORT[module][1] for module in reached("algorithms.dyna")))


@pytest.mark.parametrize("start", WITHOUT_TENSORFLOW)
def test_tensorflow_stays_out_of_what_the_command_line_reads_arguments_with(start):
    names = [name for name in MODULES if name == start or name.startswith(f"{start}.")]
    assert names
    for name in set(names) - set(WITH_TENSORFLOW):
        for module in reached(name):
            assert not HEAVY & AT_IMPORT[module][1], f"{name} imports TensorFlow, in {module}"


@each_file
def test_files_and_functions_stay_short(path):
    assert path.read_text().count("\n") <= 300
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno + 1 <= 50, f"{node.name} is too long"


# Tasks. Suites name them, as do presets, which are no code.
TASK = re.compile(
    rf"(?<![a-z])({'|'.join([*environments(), 'pendulum', 'cheetah', 'walker', 'humanoid'])})(?![a-z])", re.IGNORECASE
)
# The default of --env, and a package that a task needs.
DEFAULT_ENV = {"config/imitation.py", "config/expert.py"}
ADVICE = "CartPole needs pygame"


def names_in(tree):
    """Strings and identifiers of the code; not docstrings, which are help texts and examples too."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in documentation:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        for attribute in ("id", "attr", "name", "arg"):
            if isinstance(name := getattr(node, attribute, None), str):
                yield name


@each_file
def test_no_task_has_code_of_its_own(path):
    if path == PACKAGE / "experiments" / "suites.py":
        return
    found = [name.replace(ADVICE, "") for name in names_in(TREES[path])]
    if str(path.relative_to(PACKAGE)) in DEFAULT_ENV:
        found.remove("HalfCheetah-v5")
    assert not [name for name in found if TASK.search(name)]


def test_the_check_of_tasks_sees_them():
    assert any(TASK.search(name) for name in names_in(TREES[PACKAGE / "experiments" / "suites.py"]))
    assert list(names_in(ast.parse('"""Hopper."""\nif env == "hopper": pass'))) == ["env", "hopper"]

"""README, Makefile and CI run the same commands; files that name the version agree."""

import re
import shlex
from dataclasses import asdict, fields
from pathlib import Path

import mgail_dyna
from mgail_dyna.config.expert import ExpertConfig
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.runs.directory import RunSettings, flatten

ROOT = Path(__file__).resolve().parents[2]


def recipes():
    """The commands of every target of the Makefile."""
    text = (ROOT / "Makefile").read_text().replace("$(BIN)", ".venv/bin")
    found = re.findall(r"^(\w+):[^\n]*\n((?:\t[^\n]*\n)*)", text, re.MULTILINE)
    return {target: [line.strip() for line in lines.splitlines()] for target, lines in found}


def test_the_makefile_has_the_commands_of_ci_in_its_order():
    made = recipes()
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    after_readme = script[script.index('bash -euo pipefail -c "$readme"') + 1 :]
    assert after_readme == [line for target in ("ray", "slow", "lint", "types", "docs") for line in made[target]]


def test_the_makefile_installs_and_tests_as_the_readme_does():
    readme = (ROOT / "README.md").read_text()
    (command,) = re.findall(r"^<!-- test command -->\n```\n(.+?)\n```$", readme, re.MULTILINE | re.DOTALL)
    made = recipes()
    assert [shlex.split(part) for part in command.split(" && ")] == [
        shlex.split(line) for line in made["install"] + made["test"]
    ]


def test_the_version_is_the_same_everywhere():
    version = mgail_dyna.__version__
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1].startswith(version)


def test_the_changelog_renames_to_fields_that_exist_from_fields_that_do_not():
    table = (ROOT / "CHANGELOG.md").read_text().split("### Renamed: configuration")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([\w.]+)`[^|]* \| `([\w.]+)` \|$", table, re.MULTILINE)
    today = {name for name, _ in flatten(asdict(ImitationConfig()))}
    today |= {field.name for kind in (ExpertConfig, RunSettings) for field in fields(kind)}
    assert len(rows) > 20
    assert not [old for old, _ in rows if old in today]
    assert not [new for _, new in rows if new not in today]

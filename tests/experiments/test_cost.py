"""Core-hours: what is left of a sweep, what records took, what everything takes."""

import dataclasses
import json

import pytest

from mgail_dyna.cli.commands.sweep import _by_kind
from mgail_dyna.experiments.cost import estimated, spent
from mgail_dyna.experiments.markdown import cost_sentence, refresh
from mgail_dyna.experiments.records import from_run, record_path, write_record
from mgail_dyna.experiments.suites import FIGURES, SUITES, everything


@pytest.fixture
def recorded(finished_run, tmp_path):
    """Records runs of a kind that took so many CPU seconds each."""

    def make(kind, *seconds):
        for seed, cpu in enumerate(seconds):
            record = from_run(finished_run(seed), kind.run(seed))
            curve = {**record.curve, "cpu_seconds": record.curve["cpu_seconds"] * 0 + cpu}
            write_record(tmp_path / "records", kind.run(seed), dataclasses.replace(record, curve=curve))
        return tmp_path / "records"

    return make


DYNA, MGAIL = FIGURES["4a"][:2]
PLANS_ONLY = next(kind for kind in SUITES["planning"] if kind.name == "dyna_plans_only" and kind.task == "cartpole")


def test_a_run_costs_the_median_of_its_kind(recorded):
    results = recorded(DYNA, 3_600, 7_200, 36_000)
    assert estimated([DYNA, DYNA], results) == (4.0, 0, 0)
    assert spent([DYNA], results) == (3, 13.0)


def test_without_records_of_a_kind_its_algorithm_and_task_stand_for_it(recorded):
    results = recorded(DYNA, 1_800, 1_800)
    assert estimated([PLANS_ONLY, DYNA], results) == (1.0, 1, 0)
    assert estimated([PLANS_ONLY, MGAIL], results) == (0.5, 1, 1), "nothing is known of MGAIL"
    assert estimated([], results) == (0.0, 0, 0)


def test_a_dry_run_says_what_is_left_and_what_was_spent(recorded, cli):
    results = recorded(DYNA, 3_600, 3_600)
    done = cli("sweep", "--figure", "4a", "--seeds", 3, "--jobs", 2, "--dry-run", "--results", results)
    assert done.returncode == 0, done.stderr
    counted, left, unknown, took = done.stdout.splitlines()[:4]
    assert counted.startswith("10 of 12 runs to do: cartpole-mgail-seed{0..2}, ")
    assert left == "about 1.0 core-hours left (0.5 hours with 2 at once), estimated from recorded runs"
    assert unknown == f"no estimate for 9 runs: no run of the same algorithm and task is recorded in {results}"
    assert took == "2 runs of these kinds recorded before, of any seed, took 2.0 core-hours"


def test_runs_of_several_suites_are_listed_by_suite():
    kinds = [dataclasses.replace(DYNA, suite=suite) for suite in ("learning", "tasks")]
    names = list(_by_kind([kind.run(seed) for seed in (0, 1) for kind in kinds]))
    assert names == [f"{suite}/cartpole-dyna-seed{{0..1}}" for suite in ("learning", "tasks")]
    many = [
        dataclasses.replace(DYNA, suite=suite, name=f"{number}") for suite in ("few", "tasks") for number in range(20)
    ]
    assert list(_by_kind([kind.run(0) for kind in many])) == ["few 20", "tasks 20"], "no wall of names"


def test_a_dry_run_without_records_promises_nothing(cli, tmp_path):
    done = cli("sweep", "--figure", "4a", "--dry-run", "--results", tmp_path)
    assert "no estimate for 20 runs" in done.stdout and "core-hours" not in done.stdout


def test_everything_is_every_record_once(recorded, cli):
    kinds = everything()
    assert len({(kind.suite, kind.task, kind.name) for kind in kinds}) == len(kinds)
    files = {record_path(recorded(DYNA), kind.run(0)) for kind in kinds}
    wanted = (*SUITES.values(), *FIGURES.values())
    assert files == {record_path(recorded(DYNA), kind.run(0)) for group in wanted for kind in group}
    done = cli("sweep", "--suite", "all", "--seeds", 1, "--dry-run", "--results", recorded(DYNA, 3_600))
    assert done.stdout.startswith(f"{len(kinds) - 1} of {len(kinds)} runs to do")
    assert "1 run of these kinds recorded before, of any seed, took 1.0 core-hours" in done.stdout
    assert "kind of run" not in done.stdout, "no table of everything"


def test_documents_say_what_everything_took(recorded):
    results = recorded(DYNA, 3_600, 7_200)
    text = "before\n\n<!-- cost -->\nold\n<!-- end -->\n"
    assert cost_sentence(results).startswith("The 2 recorded runs took 3 core-hours")
    assert refresh(text, results) == f"before\n\n<!-- cost -->\n\n{cost_sentence(results)}\n\n<!-- end -->\n"
    path = record_path(results, DYNA.run(1))
    content = json.loads(path.read_text())
    content["curve"]["cpu_seconds"] = [36_000] * len(content["curve"]["cpu_seconds"])
    path.write_text(json.dumps(content))
    assert "11 core-hours" in refresh(text, results)

"""Tables of records: what their columns mean, and what is compared with what."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from mgail_dyna.experiments import tables
from mgail_dyna.experiments.kinds import Kind
from mgail_dyna.experiments.records import from_run, read_kind, write_record
from mgail_dyna.experiments.statistics import estimate
from mgail_dyna.experiments.suites import FIGURES, SUITES
from mgail_dyna.experiments.tables import (
    SPARE,
    WIDTH,
    common_spacings,
    format_estimate,
    print_summary,
    seeds_of,
    summary,
)

RESULTS = Path(__file__).resolve().parents[2] / "results"
KIND = Kind("tiny", "cartpole", "dyna", "Dyna-AIL", ("--env", "cartpole"))
RARE = replace(KIND, name="mgail", label="MGAIL", arguments=("--env", "cartpole", "--mode", "mgail"))
TRPO = replace(KIND, name="gail", label="GAIL", arguments=("--env", "cartpole", "--mode", "gail"))
CLONING = replace(KIND, name="bc", label="cloning", arguments=("--env", "cartpole", "--mode", "bc"), baseline=True)


@pytest.fixture
def record(tmp_path, finished_run):
    """Writes the record of a seed with a hand-made curve, `(env steps, percent)` each; the directory of records."""

    def write(kind, seed, *evaluations):
        run = kind.run(seed)
        found = from_run(finished_run(seed), run)
        steps, percent = (np.array(column, float) for column in zip(*evaluations, strict=True))
        curve = {name: np.zeros(len(steps)) for name in found.curve} | {"env_steps": steps, "expert_percent": percent}
        write_record(tmp_path, run, replace(found, algorithm=kind.algorithm, curve=curve))
        return tmp_path

    return write


def rows_of(table):
    """Cells by column, a dictionary a row."""
    heads = [str(column.header) for column in table.columns]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    return [dict(zip(heads, cells, strict=True)) for cells in rows]


def test_a_row_names_its_seeds_and_a_kind_without_records_says_so(record):
    for seed in (0, 1, 2, 4):
        results = record(KIND, seed, (100, 40), (200, 95 + seed))
    assert seeds_of(read_kind(results, KIND)) == "0-4 without 3"
    first, second = rows_of(summary([KIND, RARE], results))
    assert (first["task"], first["kind of run"], first["seeds"]) == ("CartPole", "Dyna-AIL", "0-4 without 3")
    assert (second["kind of run"], second["seeds"]) == ("MGAIL", "none")
    assert set(second.values()) == {"CartPole", "MGAIL", "none", ""}


@pytest.mark.parametrize(("seeds", "end"), [(1, "95.0"), (3, "96.0 (95.0 to 97.0)"), (4, "96.5 (95.0 to 98.0)")])
def test_below_five_seeds_the_table_has_means_and_ranges(record, seeds, end):
    for seed in range(seeds):
        results = record(KIND, seed, (100, 40), (200, 95 + seed))
    (row,) = rows_of(summary([KIND], results))
    assert row["% of expert at the end"] == end
    assert "[" not in row["last ten"]


def test_from_five_seeds_on_the_table_has_bootstrap_intervals(record):
    for seed in range(5):
        results = record(KIND, seed, (100, 40), (200, 95 + seed))
    (row,) = rows_of(summary([KIND], results))
    expected = format_estimate(estimate([[95, 96, 97, 98, 99]]), ".1f")
    assert row["% of expert at the end"].replace("\\", "") == expected and expected.startswith("97.0 [95.")
    assert "(" not in row["last ten"]


def test_columns_of_a_hand_made_curve(record):
    curve = [(100 * n, percent) for n, percent in enumerate([50, 91, 89, 95, 80, 96, 97, 98, 99, 94, 93, 92], start=1)]
    (row,) = rows_of(summary([KIND], record(KIND, 0, *curve)))
    assert row["% of expert at the end"] == "92.0"
    assert row["last ten"] == f"{np.mean([89, 95, 80, 96, 97, 98, 99, 94, 93, 92]):.1f}"
    assert row["to 90%"] == "200" and row["to 95%"] == "400"
    assert row["stays"] == f"{100 * 9 / 11:.0f}", "of the eleven from the first at 90% on, nine are there"
    assert row["lowest after"] == "80"


def test_staying_is_that_of_the_worst_seed(record):
    record(KIND, 0, (100, 95), (200, 96), (300, 95), (400, 97))
    results = record(KIND, 1, (100, 95), (200, 40), (300, 95), (400, 97))
    (row,) = rows_of(summary([KIND], results))
    assert (row["stays"], row["lowest after"]) == ("75", "40")
    record(KIND, 2, (100, 10), (200, 20), (300, 30), (400, 89))
    (row,) = rows_of(summary([KIND], results))
    assert (row["stays"], row["lowest after"], row["to 90%"]) == (
        "1 of 3 never",
        "1 of 3 never",
        "some never (soonest 100)",
    )


def test_kinds_are_compared_at_the_spacing_of_the_one_evaluated_least_often(record):
    record(KIND, 0, *((100 * n, 92 if n == 3 or n >= 9 else 50) for n in range(1, 21)))
    results = record(RARE, 0, *((400 * n, 92 if n >= 3 else 50) for n in range(1, 6)))
    (alone,) = rows_of(summary([KIND], results))
    assert alone["to 90%"] == "300"
    table = summary([KIND, RARE], results)
    assert [row["to 90%"] for row in rows_of(table)] == ["1,200", "1,200"]
    assert "Env steps from one reading to the next: CartPole 400." in str(table.caption)


def test_trust_region_kinds_are_compared_among_themselves(record):
    record(KIND, 0, (100, 50), (200, 95), (300, 95))
    record(CLONING, 0, (0, 10), (0, 95))
    results = record(TRPO, 0, (40_960, 50), (81_920, 95), (90_000, 95))
    found = {kind: read_kind(results, kind) for kind in (KIND, TRPO, CLONING)}
    assert common_spacings(found) == {("cartpole", False): 100, ("cartpole", True): 40_960}
    table = summary(found, results)
    assert [row["to 90%"] for row in rows_of(table)] == ["200", "81,920", "0"]
    assert "CartPole 100, CartPole with TRPO 40,960." in str(table.caption)


def test_cloning_has_no_columns_that_follow_env_steps(record):
    results = record(CLONING, 0, (0, 10), (0, 95), (0, 85))
    (row,) = rows_of(summary([CLONING], results))
    assert row["% of expert at the end"] == "85.0" and row["to 90%"] == "never"
    assert row["last ten"] == row["stays"] == row["lowest after"] == ""


def test_tasks_are_summed_up_without_env_steps(record):
    other = replace(KIND, task="hopper")
    for seed in range(5):
        record(KIND, seed, (100, 40), (200, 95 + seed))
        results = record(other, seed, (1_000, 40), (2_000, 90 + seed))
    row = rows_of(summary([KIND, other], results))[-1]
    assert (row["task"], row["kind of run"], row["seeds"]) == ("2 tasks", "Dyna-AIL", "")
    expected = format_estimate(estimate([[95, 96, 97, 98, 99], [90, 91, 92, 93, 94]]), ".1f")
    assert row["% of expert at the end"].replace("\\", "") == expected
    assert row["to 90%"] == row["to 95%"] == "" and row["stays"] == "100"


def test_never_is_a_word(record, capsys):
    for seed in range(3):
        results = record(KIND, seed, (100, 40), (200, 50))
    print_summary([KIND], results)
    out = capsys.readouterr().out
    assert "never" in out and "inf" not in out and "never (never" not in out
    assert "5 seeds or more: interquartile mean [95% bootstrap interval]." in " ".join(out.split())


@pytest.mark.parametrize("name", ["learning", "demonstrations", "paper", "untuned", "6"])
def test_no_cell_of_the_records_tables_is_cut_off(name):
    console = Console(width=WIDTH, file=io.StringIO())
    console.print(summary(SUITES.get(name) or FIGURES[name], RESULTS, name))
    out = console.file.getvalue()
    assert "% of expert at the end" in out and "…" not in out


def test_the_worst_final_episode_of_all_seeds_is_shown_with_the_most_failures_of_one(tmp_path, finished_run):
    for seed, returns in enumerate(([1000.0, 400.0, 300.0], [20.0, 990.0, 1000.0], [])):
        found = replace(from_run(finished_run(seed), KIND.run(seed)), final_returns=np.array(returns))
        write_record(tmp_path, KIND.run(seed), found)
    for kind, algorithm, returns in ((CLONING, "bc", [510.0]), (RARE, "mgail", [])):
        other = replace(found, name=kind.run(0).name, algorithm=algorithm, final_returns=np.array(returns))
        write_record(tmp_path, kind.run(0), other)
    rows = rows_of(summary([KIND, CLONING, RARE], tmp_path))
    assert [row["worst episode"] for row in rows[:3]] == ["2 (2)", "51 (0)", ""]


@pytest.mark.parametrize(("width", "fewest"), [(200, 0), (120, 1), (80, 4)])
def test_a_narrow_terminal_leaves_columns_out_and_says_which(width, fewest, monkeypatch):
    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=True, color_system=None)
    monkeypatch.setattr(tables, "Console", lambda **_: console)
    print_summary(FIGURES["4a"], RESULTS)
    shown = screen.getvalue()
    assert "Dyna-AIL" in shown and "413 [413, 413]" in shown and "…" not in shown
    heading = next(line for line in shown.splitlines() if "kind of run" in line)
    absent = [name for name in SPARE if name not in heading]
    assert absent == list(SPARE[: len(absent)]) and len(absent) >= fewest
    assert (f"Left out, to keep the table narrow: {', '.join(absent)[:20]}" in shown) == bool(absent)


@pytest.mark.parametrize("suite", ["tasks", "switch", "trpo"])
@pytest.mark.parametrize("width", [50, 66, 72, 80, 84, 100])
def test_a_narrow_terminal_cuts_nothing_off(width, suite, monkeypatch):
    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=True, color_system=None)
    monkeypatch.setattr(tables, "Console", lambda **_: console)
    print_summary(SUITES[suite], RESULTS)
    words = screen.getvalue().split()
    assert set(tables.NOTE.split()) <= set(words)
    shown = screen.getvalue().splitlines()
    heading = next(line for line in shown if "task" in line)
    for name, meaning in tables.MEANINGS.items():
        explained = any(line.startswith(f"{name}: {meaning[:20]}") for line in shown)
        assert explained == (name in heading), name
    assert max(map(len, screen.getvalue().splitlines())) <= width

"""Which initial states a run is evaluated from."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from mgail_dyna.algorithms.trpo_expert import SELECTION_SEED
from mgail_dyna.cli.commands.evaluate import FIRST_SEED
from mgail_dyna.config.imitation import ImitationConfig
from mgail_dyna.demonstrations.record import DEMONSTRATION_SEED
from mgail_dyna.runs import run as module
from mgail_dyna.runs.run import ImitationRun


@pytest.fixture
def evaluated_seeds(monkeypatch):
    """Evaluates a run of this seed twice; the seeds that were given to the environment."""

    def evaluate(seed, episodes, **first):
        played = []
        monkeypatch.setattr(
            module,
            "play_episode",
            lambda env, policy, each: played.append(each) or SimpleNamespace(episode_return=float(each)),
        )
        run = object.__new__(ImitationRun)
        run.config = replace(ImitationConfig(), seed=seed)
        run.evaluation_env, run.agent = None, SimpleNamespace(acting=None)
        once, again = run.evaluate(episodes, **first), run.evaluate(episodes, **first)
        assert once.tolist() == again.tolist(), "the same initial states after every iteration"
        return played[:episodes]

    return evaluate


def test_every_run_has_evaluation_seeds_of_its_own(evaluated_seeds):
    by_seed = [evaluated_seeds(seed, 1_000) for seed in (0, 1, 2, 7_919)]
    assert all(len(seeds) == 1_000 for seeds in by_seed)
    assert len({seed for seeds in by_seed for seed in seeds}) == 4_000, "two runs share initial states"


def test_no_evaluation_seed_is_used_for_anything_else(evaluated_seeds):
    lowest = min(evaluated_seeds(0, 10))
    for first in (DEMONSTRATION_SEED, SELECTION_SEED, FIRST_SEED):
        assert first + 100_000 < lowest, "100,000 episodes from there on are not those of an evaluation"


def test_a_first_seed_can_be_given(evaluated_seeds):
    assert evaluated_seeds(3, 4, first_seed=50) == [50, 51, 52, 53]

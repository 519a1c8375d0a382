"""Dyna-AIL with the natural gradient of the multi-step graph, which the paper leaves for the future (sec. 5)."""

from __future__ import annotations

from mgail_dyna.algorithms.dyna import DynaAgent
from mgail_dyna.learners.natural import NaturalPolicyLearner


class DynaNaturalAgent(DynaAgent):
    """`DynaAgent`, whose policy takes natural-gradient steps inside a trust region where that takes Adam's."""

    policy_learner = NaturalPolicyLearner

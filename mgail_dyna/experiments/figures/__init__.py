"""Figures, drawn from what runs have recorded."""

from mgail_dyna.experiments.figures.comparison import comparison
from mgail_dyna.experiments.figures.pictures import PICTURES, draw, lacking, recorded, show, write
from mgail_dyna.experiments.figures.runs import Curve, curve_of, learning_curves, read_curve

__all__ = [
    "PICTURES",
    "Curve",
    "comparison",
    "curve_of",
    "draw",
    "lacking",
    "learning_curves",
    "read_curve",
    "recorded",
    "show",
    "write",
]

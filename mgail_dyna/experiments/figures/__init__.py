"""Figures, drawn from records and from runs' curves."""

from mgail_dyna.experiments.figures.comparison import comparison
from mgail_dyna.experiments.figures.pictures import PICTURES, draw, missing_records, recorded, show, write
from mgail_dyna.experiments.figures.runs import Curve, curve_of, learning_curves, read_curve

__all__ = [
    "PICTURES",
    "Curve",
    "comparison",
    "curve_of",
    "draw",
    "learning_curves",
    "missing_records",
    "read_curve",
    "recorded",
    "show",
    "write",
]

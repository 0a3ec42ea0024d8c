"""What a model's values look like on representative data."""

from pyquant.calibrate.columns import Choose, column_by_column, curvatures
from pyquant.calibrate.data import Images, samples
from pyquant.calibrate.judged import judged, probabilities
from pyquant.calibrate.methods import METHODS
from pyquant.calibrate.observe import calibrate, collect
from pyquant.calibrate.products import Moments, Products, damped, moments, products, tallies
from pyquant.calibrate.ranges import Range
from pyquant.calibrate.seen import Seen
from pyquant.calibrate.states import with_intermediates
from pyquant.calibrate.statistics import Outlier, Statistics

__all__ = [
    "METHODS",
    "Choose",
    "Images",
    "Moments",
    "Outlier",
    "Products",
    "Range",
    "Seen",
    "Statistics",
    "calibrate",
    "collect",
    "column_by_column",
    "curvatures",
    "damped",
    "judged",
    "moments",
    "probabilities",
    "products",
    "samples",
    "tallies",
    "with_intermediates",
]

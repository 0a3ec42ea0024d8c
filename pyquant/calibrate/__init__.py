"""What a model's values look like on representative data."""

from pyquant.calibrate.data import Images, samples
from pyquant.calibrate.observe import calibrate
from pyquant.calibrate.ranges import Range

__all__ = ["Images", "Range", "calibrate", "samples"]

"""The table of targets by name."""

from __future__ import annotations

from pyquant.errors import OptionError
from pyquant.targets.edgetpu import EDGETPU
from pyquant.targets.target import Target
from pyquant.targets.tflite import LITERT_2_3, RELEASES, TFLITE_RUNTIME_2_14
from pyquant.targets.tflm import TFLM

TARGETS: dict[str, Target] = {
    target.name: target for target in (TFLITE_RUNTIME_2_14, LITERT_2_3, TFLM, EDGETPU, *RELEASES)
}
ALIASES = {
    "tflite-runtime": "tflite-runtime-2.14",
    "ai-edge-litert": "ai-edge-litert-2.3",
    "litert": "ai-edge-litert-2.3",
}


def get(name: str) -> Target:
    """The target called `name`, or by an alias such as litert. Raises OptionError for one that is not known."""
    found = TARGETS.get(ALIASES.get(name, name))
    if found is None:
        raise OptionError(f"target {name!r} is not one of {', '.join((*TARGETS, *ALIASES))}")
    return found

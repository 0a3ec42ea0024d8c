"""Running models: node by node with the references, or compiled to a plan that C executes."""

from pyquant.run.compile import compile
from pyquant.run.interpret import interpret
from pyquant.run.interpreter import Interpreter
from pyquant.run.limits import Limits
from pyquant.run.memory import Lifetime, Timeline
from pyquant.run.observation import Observation
from pyquant.run.plan import Plan, Session, Step
from pyquant.run.profile import Profile, Timing
from pyquant.run.timeline import timeline

__all__ = [
    "Interpreter",
    "Lifetime",
    "Limits",
    "Observation",
    "Plan",
    "Profile",
    "Session",
    "Step",
    "Timeline",
    "Timing",
    "compile",
    "interpret",
    "timeline",
]

"""Running models: node by node with the references, or compiled to a plan that C executes."""

from pyquant.run.compile import compile
from pyquant.run.interpret import interpret
from pyquant.run.interpreter import Interpreter
from pyquant.run.limits import Limits
from pyquant.run.plan import Observation, Plan, Session, Step

__all__ = ["Interpreter", "Limits", "Observation", "Plan", "Session", "Step", "compile", "interpret"]

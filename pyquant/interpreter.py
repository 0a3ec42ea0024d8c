"""In the place of tflite_runtime.interpreter: `from pyquant.interpreter import Interpreter`."""

from pyquant.run.interpreter import Delegate, Interpreter, OpResolverType, SignatureRunner, load_delegate

__all__ = ["Delegate", "Interpreter", "OpResolverType", "SignatureRunner", "load_delegate"]

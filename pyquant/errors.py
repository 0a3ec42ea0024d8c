"""Every error that pyquant raises on purpose: one root; each kind is also the built-in error a caller would expect.

A message holds what, where, found and expected.
"""


class PyQuantError(Exception):
    """Root of all errors raised by pyquant."""


class FormatError(PyQuantError, ValueError):
    """The bytes are not a sound `.tflite` file."""


class GraphError(PyQuantError, ValueError):
    """A model's objects do not fit together: dangling tensors, wrong types, bad counts."""


class ShapeError(PyQuantError, ValueError):
    """A shape breaks an operator's shape rule, or an array does not have the shape of its tensor."""


class RangeError(PyQuantError, ValueError):
    """A number does not fit the type or the arithmetic that has to hold it."""


class DataError(PyQuantError, ValueError):
    """Samples given by the caller do not fit the model's inputs."""


class OptionError(PyQuantError, ValueError):
    """An option of a call has a value that it cannot have."""


class BusyError(PyQuantError, RuntimeError):
    """A session is already running for another caller."""


class RecipeError(PyQuantError, ValueError):
    """A quantization request names something that does not exist or contradicts itself."""


class UnsupportedOp(PyQuantError, NotImplementedError):
    """No kernel and no reference runs this operator with these types."""


class OracleError(PyQuantError, RuntimeError):
    """A runtime that results are compared with is missing, refused the model, or died."""


class FileExists(PyQuantError, FileExistsError):
    """The output file exists and overwriting was not asked for."""


class FileError(PyQuantError, OSError):
    """A file cannot be read or written."""

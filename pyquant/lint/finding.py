"""What lint says about a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """severity: error (runtimes refuse it or compute something else), warning (it costs accuracy), info.

    node: the operator's label, "" for what concerns a tensor or the file. fixable: `repair` mends it.
    """

    rule: str
    severity: str
    message: str
    node: str = ""
    tensor: str = ""
    remedy: str = ""
    fixable: bool = False

    def __str__(self) -> str:
        where = self.node or (f"tensor {self.tensor!r}" if self.tensor else "the file")
        return f"{self.severity}: {self.rule}: {where}: {self.message}" + (f"; {self.remedy}" if self.remedy else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return dict(vars(self))

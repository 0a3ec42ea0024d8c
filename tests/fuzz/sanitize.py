"""A copy of the package whose C side is built with AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("pyquant", "csrc", "schema", "setup.py", "pyproject.toml", "README.md", "LICENSE")
SANITIZERS = "address,undefined,float-cast-overflow,float-divide-by-zero"


def build(folder: Path) -> dict[str, str]:
    """Build in `folder`; the ordinary build is untouched. -> environment variables for Python processes that use it."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("*.so", "*.o", "__pycache__"))
        elif source.exists():
            shutil.copy(source, folder / part)
    environment = {**os.environ, "PYQUANT_SANITIZE": SANITIZERS}
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=folder, env=environment, check=True
    )
    library = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    return {
        "PYTHONPATH": str(folder),
        "LD_PRELOAD": str(Path(library.stdout.strip()).resolve()),
        # Python's own leaks are not ours; a small quarantine, as the workers watch their memory
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=1:abort_on_error=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "PYTHONMALLOC": "malloc",
    }

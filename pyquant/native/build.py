"""The cffi build: declarations from pq.h and the family headers, sources from csrc/core and csrc/kernels."""

import os
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parents[2]
CSRC = Path(os.path.relpath(ROOT / "csrc"))
HEADERS = [CSRC / "pq.h", *sorted(CSRC.glob("kernels/*/*.h"))]
CONTRACTS = [h for h in HEADERS if h.stem in ("pq", h.parent.name)]  # generic.h and its like are not declarations
FLAGS = ["-O3", "-std=c11", "-pthread", "-fvisibility=hidden", "-Wall", "-Wextra"]
# One rounding per operation, as TFLite's reference kernels; nothing here reads errno or floating-point traps.
FLOATS = ["-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
STRICT = ["-Werror"] if os.environ.get("PYQUANT_WERROR") else []
# PYQUANT_SANITIZE=address,undefined: Python then needs LD_PRELOAD=libasan.so; python -m tests.fuzz --sanitize does all
SANITIZERS = os.environ.get("PYQUANT_SANITIZE", "")
CHECKS = [f"-fsanitize={SANITIZERS}", "-fno-sanitize-recover=all", "-O1", "-g"] if SANITIZERS else []
# PYQUANT_AVXVNNI=avx512: the kernels for AVX-VNNI in the encoding of AVX-512, to test them where only that is there
STAND_IN = ["-DPQ_AVXVNNI_BY_AVX512=1"] if os.environ.get("PYQUANT_AVXVNNI") == "avx512" else []


def declarations(header: Path) -> str:
    return "".join(line for line in header.read_text().splitlines(True) if not line.startswith("#"))


ffi = FFI()
ffi.cdef("".join(declarations(h) for h in CONTRACTS))
ffi.set_source(
    "pyquant.native._pq",
    "".join(f'#include "{h.relative_to(CSRC).as_posix()}"\n' for h in CONTRACTS),
    sources=[p.as_posix() for p in sorted([*CSRC.glob("core/*.c"), *CSRC.glob("kernels/**/*.c")])],
    depends=[p.as_posix() for p in sorted(CSRC.glob("**/*")) if p.suffix in (".h", ".inc")],
    include_dirs=[CSRC.as_posix(), (CSRC / "core").as_posix()],
    libraries=["m"],
    extra_compile_args=FLAGS + FLOATS + STRICT + CHECKS + STAND_IN,
    extra_link_args=["-pthread", *CHECKS[:1]],
)

"""Associated files: what TFLite Metadata packs behind a model, such as labels and vocabularies."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np

from pyquant.errors import FormatError
from pyquant.graph.check import check
from pyquant.graph.model import Model

_EXPANSION, _FLOOR = 64, 1 << 20  # what unpacked files may be, in sizes of the archive, and bytes in any case
_METHODS = (0, 8)  # stored and deflated
_EPOCH = (1980, 1, 1, 0, 0, 0)  # so that equal files make equal archives


def associated_files(model: Model) -> dict[str, bytes]:
    """The files packed behind a model, by name. Raises FormatError for an archive that is not sound."""
    data = model.extra.get("trailing")
    if data is None or b"PK\5\6" not in data.tobytes():
        return {}
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(io.BytesIO(data.tobytes())) as archive:
            if any(entry.compress_type not in _METHODS for entry in archive.infolist()):
                raise ValueError("entries are neither stored nor deflated")
            size = sum(entry.file_size for entry in archive.infolist())
            if size > _FLOOR + _EXPANSION * data.size:
                raise ValueError(f"{data.size} bytes would unpack to {size}")
            return {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise FormatError(f"associated files: not a sound ZIP: {error}") from error


def with_associated_files(model: Model, files: Mapping[str, bytes]) -> Model:
    """A copy with these files, and no others, packed behind it; stored plain, as readers that map the file want."""
    made = model.copy()
    made.extra.pop("trailing", None)
    if files:
        import zipfile

        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
        made.extra["trailing"] = np.frombuffer(packed.getvalue(), np.uint8)
    return check(made)

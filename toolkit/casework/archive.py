"""An examination as a file of the case: everything that its report is made from, same bytes again.

Face pictures and meshes are in it, so it never leaves the case. Embeddings are not: `Report` has
none.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import ShapeError
from toolkit.files import parse_json
from toolkit.messages import phrase
from toolkit.storage.serialise import Packed, pack, unpack
from toolkit.types import Examination, FaceCrops, Report

_HEAD = "head.json"
_TIME = (1980, 1, 1, 0, 0, 0)
_BYTES_MAX = 2 << 30


@dataclass(frozen=True, eq=False)
class _Stored:
    report: Report
    crops: dict[str, FaceCrops]


def write(examination: Examination, out: Path) -> None:
    """Write an examination to a ZIP of arrays and one JSON; `timings` are left out."""
    packed = pack(_Stored(examination.report, examination.crops), leave_out={"timings"})
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as box:
        head = json.dumps(packed.plain, sort_keys=True, allow_nan=False)
        box.writestr(zipfile.ZipInfo(_HEAD, _TIME), head, zipfile.ZIP_DEFLATED)
        for name, array in sorted(packed.arrays.items()):
            raw = io.BytesIO()
            np.lib.format.write_array(raw, array, allow_pickle=False)
            box.writestr(
                zipfile.ZipInfo(f"{name}.npy", _TIME), raw.getvalue(), zipfile.ZIP_DEFLATED
            )


def read(data: bytes) -> Examination:
    """Return what was written.

    Raises
    ------
    ShapeError
        If it is not an examination.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as box:
            if sum(member.file_size for member in box.infolist()) > _BYTES_MAX:
                raise ShapeError(
                    "an examination is too large", phrase("{n} bytes at most", n=_BYTES_MAX)
                )
            plain: Any = parse_json(box.read(_HEAD))
            arrays = {
                name.removesuffix(".npy"): np.lib.format.read_array(
                    io.BytesIO(box.read(name)), allow_pickle=False
                )
                for name in box.namelist()
                if name != _HEAD
            }
    except ShapeError:
        raise
    except Exception as error:  # damaged bytes make the parsers raise almost anything
        raise ShapeError("this is no examination", type(error).__name__) from error
    stored = unpack(_Stored, Packed(plain, arrays))
    return Examination(stored.report, stored.crops)

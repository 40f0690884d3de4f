"""`results.parquet`: a row per input file, for pandas, DuckDB, R and whatever else reads tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from toolkit.batch.journal import Row
from toolkit.files import atomic_path

COLUMNS: dict[str, str] = {
    "path": "string",
    "sha256": "string",
    "status": "string",
    "reason": "string",
    "reason_code": "string",
    "person": "string",
    "persons": "int32",
    "logit": "double",
    "threshold": "double",
    "forged": "bool",
    "abstained": "bool",
    "seconds": "double",
    "saved_s": "double",
    "attempts": "int32",
    "source": "string",
    "bytes": "int64",
    "duration_s": "double",
    "width": "int32",
    "height": "int32",
    "codec": "string",
    "moments": "int32",
    "face_px": "double",
    "sharpness": "double",
    "report": "string",
}
"""Column and type, in order. What is not known is null."""


def ordered(rows: Iterable[Row]) -> list[Row]:
    """Return rows by path, and rows of one path by content."""
    return sorted(rows, key=lambda row: (row["path"], row["sha256"] or ""))


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the table, complete or not at all.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"string": pa.string(), "int32": pa.int32(), "int64": pa.int64()}
    kinds |= {"double": pa.float64(), "bool": pa.bool_()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    columns = {name: [_plain(row.get(name)) for row in rows] for name in COLUMNS}
    table = pa.table(columns, schema=schema)
    with atomic_path(path) as part:
        pq.write_table(table, part, compression="zstd")


def read(path: Path) -> Any:
    """Return the table as a pandas one."""
    import pandas as pd

    return pd.read_parquet(path, engine="pyarrow")


def _plain(value: Any) -> Any:
    """Return text that can be written as UTF-8: file names may hold bytes that are none."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value

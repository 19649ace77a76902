"""Run folders: everything about a solve on disk, whole or not at all."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from agora.data.checks import InputError
from agora.models.solution import Solution

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MANIFEST = "manifest.json"


def as_json(value: Any) -> str:
    """Return strict JSON: numbers that JSON does not know (NaN, infinities) become null."""
    return json.dumps(_strict(value), indent=2, ensure_ascii=False, allow_nan=False)


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _strict(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(entry) for entry in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def check_folder(folder: Path) -> None:
    """Raise `InputError` if `folder` cannot become a run folder without harm to other files."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise InputError("--out", str(folder), "a new or empty folder, or an earlier run folder")
    if folder.exists() and not folder.is_dir():
        raise InputError("--out", str(folder), "a folder, not a file")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write into that takes its place as `folder` only if all went well.

    Whatever interrupts the writing — an error, Ctrl-C — leaves no half-written folder behind, and
    an earlier run folder of that name untouched.
    """
    folder = folder.absolute()
    check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    draft.chmod(0o777 & ~_umask())
    try:
        yield draft
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
            folder.replace(old / folder.name)
            draft.replace(folder)
            shutil.rmtree(old)
        else:
            draft.replace(folder)
    finally:
        if draft.exists():
            shutil.rmtree(draft, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_table(table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write a table as Parquet and as CSV (17 significant digits)."""
    table.to_parquet(folder / f"{name}.parquet", index=False)
    table.to_csv(folder / f"{name}.csv", index=False, float_format="%.17g")


def write_run(solution: Solution, folder: Path) -> None:
    """Write manifest, certificate, tables and figures of a solution into a run folder, atomically."""
    record = solution.record()
    record.pop("tables")
    manifest = {**record.pop("manifest"), "result": record}
    tables = {**solution.tables, "certificate": solution.certificate.table()}
    write_folder(manifest, folder, tables, solution.pictures)


def write_folder(
    manifest: Mapping[str, Any],
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    pictures: Mapping[str, Callable[[], Figure]],
) -> None:
    """Write a manifest, tables and figures, each by its name, into a run folder, atomically."""
    from agora.runners.figures.pictures import save

    with whole_folder(folder) as draft:
        (draft / MANIFEST).write_text(as_json(manifest) + "\n", encoding="utf-8")
        for name, table in tables.items():
            write_table(table, draft, name)
        for name, draw in pictures.items():
            save(draw(), draft, name)

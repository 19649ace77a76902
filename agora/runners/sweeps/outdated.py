"""Rows in a sweep's folder that other code has finished: they stay, but do not count."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agora.runners.sweeps.journal import Journals


def outdated_rows(
    journals: Journals, fingerprint: Mapping[str, Any], before: Mapping[str, Any]
) -> Counter[str]:
    """Count the finished rows of code, solvers or libraries other than these, by the code that finished them.

    Parameters
    ----------
    journals : Journals
        All journals of the folder, read.
    fingerprint : mapping
        Code and versions of this run.
    before : mapping
        The folder's manifest as this run has found it; it names the code of journals that do not.
    """
    rows = Counter(entry.file for entry in journals.entries.values())
    known = "code" in before and not _same(before, fingerprint)
    counts: Counter[str] = Counter()
    for file, number in rows.items():
        maker = journals.makers[file]
        if maker is None or not _same(maker, fingerprint):
            counts[_name(maker or (before if known else {}), fingerprint)] += number
    return counts


def manifest_before(file: Path) -> dict[str, Any]:
    """Return the manifest of an earlier run, or nothing where there is none that can be read."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def sentence(number: int, maker: str, folder: Path) -> str:
    """Return the caution about outdated rows."""
    rows = "1 row was" if number == 1 else f"{number} rows were"
    return (
        f"{rows} finished in {folder} by {maker}: what the dataset has of them is solved anew, and the "
        "journals are kept."
    )


def _same(maker: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> bool:
    return all(maker.get(name) == value for name, value in fingerprint.items())


def _name(maker: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> str:
    """Return the code that has finished a row, and what differs from the code here."""
    if not maker:
        return "an earlier version of Agora"
    theirs, ours = dict(maker.get("versions", {})), fingerprint["versions"]
    name = f"Agora {theirs.get('agora', 'of another version')}"
    if maker.get("code") != fingerprint["code"]:
        return f"{name} with other code"
    changed = [each for each in ours if each != "agora" and theirs.get(each) != ours[each]]
    changed += ["IPOPT"] if maker.get("ipopt") != fingerprint["ipopt"] else []
    return f"{name} with another version of {', '.join(changed)}" if changed else name

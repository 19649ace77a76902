"""Lines solved in a process of its own: ``python -m tests.contract.answers FILE LINE…`` writes tables."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

from .economies import solved


def main() -> None:
    """Write line → table → DataFrame to the file that is named."""
    file, *names = sys.argv[1:]
    tables = {name: solved(name).tables for name in names}
    Path(file).write_bytes(pickle.dumps(tables))


if __name__ == "__main__":
    main()

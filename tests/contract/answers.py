"""Every line solved in a process of its own: ``python -m tests.contract.answers FILE`` writes all tables."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

from .economies import LINES, solved


def main() -> None:
    """Write line → table → DataFrame to the file that is named."""
    tables = {name: solved(name).tables for name in LINES}
    Path(sys.argv[1]).write_bytes(pickle.dumps(tables))


if __name__ == "__main__":
    main()

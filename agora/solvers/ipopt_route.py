"""Where IPOPT may be on this machine, and how its executable finds its libraries."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class IpoptRoute:
    """How IPOPT is reached on this machine."""

    source: str
    executable: Path | None
    linear_solver: str
    version: str
    libraries: Path | None = None


def idaes_folder() -> Path:
    """Return the folder where idaes keeps its binaries."""
    if "IDAES_DATA" in os.environ:
        return Path(os.environ["IDAES_DATA"]) / "bin"
    if platform.system() == "Windows":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "idaes" / "bin"
    return Path.home() / ".idaes" / "bin"


@contextmanager
def library_path(folder: Path | None) -> Iterator[None]:
    """Let an executable find the libraries beside it, for the time of one solve."""
    name = "PATH" if platform.system() == "Windows" else "LD_LIBRARY_PATH"
    before = os.environ.get(name)
    if folder is not None:
        os.environ[name] = f"{folder}{os.pathsep}{before}" if before else str(folder)
    try:
        yield
    finally:
        if folder is not None:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before

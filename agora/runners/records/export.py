"""Handing a program to GAMS, AMPL and others through Pyomo's writers."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from agora.data.checks import InputError, nearest
from agora.models.model import Model

FORMATS = ("gms", "nl", "lp", "mps")


def export_program(model: Model, fmt: str, file: Path) -> Path:
    """Write a model's program as ``gms``, ``nl``, ``lp`` or ``mps``; names are the program's own.

    Raises
    ------
    InputError
        For an unknown format, or a program the format cannot hold (``mps`` knows no products of
        variables in the rows).
    """
    if fmt not in FORMATS:
        raise InputError("--format", fmt, nearest(fmt, FORMATS))
    program = model.program()
    options = {} if fmt == "nl" else {"symbolic_solver_labels": True}
    file = file.absolute()
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(suffix=f".{fmt}", dir=file.parent)
    os.close(handle)
    try:
        program.write(draft, io_options=options)  # Pyomo goes by the ending
        Path(draft).chmod(0o644)
        Path(draft).replace(file)
    except (ValueError, RuntimeError) as error:
        raise InputError("--format", fmt, f"a format that holds this program ({error})") from None
    finally:
        Path(draft).unlink(missing_ok=True)
    return file

"""Where HiGHS is made, and nowhere else: from 1.16 on it greets, whatever its options say."""

from __future__ import annotations

from typing import Any

import highspy
from pyomo.contrib.solver.solvers.highs import Highs

from agora.standard_output import descriptors_in_turn, kept_off_stdout


def new_highs() -> Any:
    """Return a HiGHS that says nothing."""
    with kept_off_stdout():
        highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    return highs


class PyomoHighs(Highs):
    """Pyomo's interface to HiGHS, which makes one when it is given a program."""

    def set_instance(self, model: Any) -> None:
        """Take a program."""
        with kept_off_stdout():
            super().set_instance(model)

    def solve(self, model: Any, **settings: Any) -> Any:
        """Solve a program; what HiGHS logs meanwhile Pyomo captures, so no other thread may do as much."""
        with descriptors_in_turn():
            return super().solve(model, **settings)

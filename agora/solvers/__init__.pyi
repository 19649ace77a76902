from .highs import solve_within
from .linear_program import LinearAnswer, LinearProgram
from .nonlinear_program import NonlinearProgram
from .records import SolveFailed, SolverRecord
from .solve import solve_program

__all__ = [
    "LinearAnswer",
    "LinearProgram",
    "NonlinearProgram",
    "SolveFailed",
    "SolverRecord",
    "solve_program",
    "solve_within",
]

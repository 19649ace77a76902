from .certifying import NotCertified, certify
from .solvers import SolveFailed, solve_program
from .solving import solve, solve_scenario

__all__ = ["NotCertified", "SolveFailed", "certify", "solve", "solve_program", "solve_scenario"]

from .certifying import NotCertified, certify
from .solving import SolveFailed, solve, solve_program, solve_scenario

__all__ = ["NotCertified", "SolveFailed", "certify", "solve", "solve_program", "solve_scenario"]

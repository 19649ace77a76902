"""Who does the work: solvers, methods, certificates, records, figures, the command line."""

from agora.runners.certify import NotCertified, certify
from agora.runners.solve import solve, solve_scenario
from agora.runners.solvers import SolveFailed, solve_program

__all__ = ["NotCertified", "SolveFailed", "certify", "solve", "solve_program", "solve_scenario"]

from .certifying import NotCertified, certify
from .records.export import export_program
from .records.run_folder import write_run
from .solving import SolveFailed, solve, solve_program, solve_scenario
from .studies.city import anarchy_map, certified_map, welfare_optimum, worst_anarchy_map
from .studies.convergence import convergence
from .studies.phase import phase_diagram
from .studies.sensitivity.sensitivity import sensitivity
from .studies.threshold import thresholds
from .sweeps import sweep

__all__ = [
    "NotCertified",
    "SolveFailed",
    "anarchy_map",
    "certified_map",
    "certify",
    "convergence",
    "export_program",
    "phase_diagram",
    "sensitivity",
    "solve",
    "solve_program",
    "solve_scenario",
    "sweep",
    "thresholds",
    "welfare_optimum",
    "worst_anarchy_map",
    "write_run",
]

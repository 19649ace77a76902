"""Options with which HiGHS and IPOPT run here, where they differ from their own."""

from __future__ import annotations

from typing import Any

HIGHS_OPTIONS: dict[str, Any] = {
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
    "mip_rel_gap": 1e-9,
    "mip_abs_gap": 1e-12,  # of its own, HiGHS stops at 1e-6, whatever the size of the objective
    "qp_regularization_value": 1e-12,  # as shipped, 1e-7 bends the multipliers in their fifth digit
}
IPOPT_OPTIONS: dict[str, Any] = {
    "tol": 1e-9,
    "acceptable_iter": 0,
    "max_iter": 3000,
    "bound_relax_factor": 0.0,
}

_PUSHES = ("bound_push", "bound_frac", "slack_bound_push", "slack_bound_frac", "mult_bound_push")
WARM_START: dict[str, Any] = {
    "warm_start_init_point": "yes",
    "mu_init": 1e-7,
    **{f"warm_start_{push}": 1e-9 for push in _PUSHES},
}
"""Options of a solve that starts from the values and multipliers of the last one."""

"""Methods for competition among sectors and the reallocation of firms."""

METHODS = {
    "invisible-hand": {
        "minimizing-movement": "minimizing_movement:METHOD",
        "ode": "reallocation_equation:METHOD",
    },
    "short-run-competition": {"program": "short_run:METHOD"},
}
"""Model → name → its method in a module of this family; the first is the default."""

DIFFERENTIABLE = {"invisible-hand": "differentiable:path_of_optima"}
"""Model → what its answer is differentiated through; of others their program."""

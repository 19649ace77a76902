"""Methods for the endogenous formation of marketplaces."""

METHODS = {
    "coalition-test": {"branch-and-bound": "coalition:METHOD"},
    "marketplaces": {"branch-and-bound": "marketplaces:METHOD"},
}
"""Model → name → its method in a module of this family; the first is the default."""

DIFFERENTIABLE = {
    "coalition-test": "differentiable:coalition_optimum",
    "marketplaces": "differentiable:marketplaces_optimum",
}
"""Model → what its answer is differentiated through."""

"""Methods for the city as a potential game."""

METHODS = {
    "fujita-ogawa": {
        "best-response": "best_response:METHOD",
        "global": "global_search:METHOD",
        "all-equilibria": "all_equilibria:METHOD",
        "history": "histories:METHOD",
        "ipopt": "nonlinear:IPOPT",
        "complementarity": "nonlinear:COMPLEMENTARITY",
    },
}
"""Model → name → its method in a module of this family; the first is the default.

A model that is not here is solved by its program as it stands (`agora.methods.method.PROGRAM`).
"""

DIFFERENTIABLE = {"fujita-ogawa": "differentiable:city_optimum"}
"""Model → what its answer is differentiated through; of others their program."""

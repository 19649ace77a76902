"""Methods for trade, migration and spatial mean-field games."""

METHODS = {
    "graph-game": {"newton": "game:METHOD"},
    "myopic-migration": {"ode": "myopic:METHOD"},
    "spatial-game": {"newton": "game:METHOD"},
    "spatial-trade": {
        "auto": "trade:AUTO",
        "direct": "trade:DIRECT",
        "homotopy": "trade:HOMOTOPY",
        "newton": "trade:NEWTON",
    },
}
"""Model → name → its method in a module of this family; the first is the default."""

DIFFERENTIABLE = {
    "graph-game": "continuation:game_optimum",
    "myopic-migration": "myopic:no_optimum",
    "spatial-game": "continuation:game_optimum",
}
"""Model → what its answer is differentiated through; of others their program."""

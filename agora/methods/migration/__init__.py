"""Methods for trade, migration and spatial mean-field games."""

METHODS = ("differentiable", "game", "myopic", "trade")
"""The modules that say how the models of this family are solved and differentiated."""

"""Methods for the city as a potential game."""

METHODS = ("city", "differentiable")
"""The modules that say how the models of this family are solved and differentiated."""

"""Methods for the endogenous formation of marketplaces."""

METHODS = ("coalition", "differentiable", "marketplaces")
"""The modules that say how the models of this family are solved and differentiated."""

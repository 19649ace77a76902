"""Methods for the price of an asset in a mean-field game."""

METHODS = ("price_formation",)
"""The modules that say how the models of this family are solved and differentiated."""

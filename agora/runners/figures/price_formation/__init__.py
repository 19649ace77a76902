"""Pictures of the price of an asset in a mean-field game."""

PICTURES = ("market",)
"""The modules that say which pictures the models of this family have."""

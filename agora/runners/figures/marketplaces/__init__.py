"""Pictures of the endogenous formation of marketplaces."""

PICTURES = ("economy",)
"""The modules that say which pictures the models of this family have."""

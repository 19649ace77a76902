"""Pictures of the endogenous formation of marketplaces."""

PICTURES = {
    "marketplaces": "economy:marketplace_pictures",
}
"""Model → what names the pictures of its solution, in a module of this family."""

"""Models of the endogenous formation of marketplaces."""

MODELS = {
    "coalition-test": "coalition:CoalitionTest",
    "marketplaces": "marketplaces:Marketplaces",
}
"""Name on the card → module of this family and class."""

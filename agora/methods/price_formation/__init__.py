"""Methods for the price of an asset in a mean-field game."""

METHODS = {
    "price-formation": {
        "auto": "price_formation:AUTO",
        "structure": "price_formation:STRUCTURE",
        "variational": "price_formation:VARIATIONAL",
        "mixed": "price_formation:MIXED",
        "program": "price_formation:PROGRAM",
    },
}
"""Model → name → its method in a module of this family; the first is the default."""

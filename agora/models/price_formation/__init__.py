"""Models of the price of an asset in a mean-field game."""

MODELS = {
    "price-formation": "price_formation:PriceFormation",
}
"""Name on the card → module of this family and class."""

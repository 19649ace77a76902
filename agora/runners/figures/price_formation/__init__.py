"""Pictures of the price of an asset in a mean-field game."""

PICTURES = {
    "price-formation": "market:price_pictures",
}
"""Model → what names the pictures of its solution, in a module of this family."""

"""Models of the city as a potential game."""

MODELS = {
    "commuting": "commuting:CommutingMarket",
    "fujita-ogawa": "fujita_ogawa:FujitaOgawa",
}
"""Name on the card → module of this family and class."""

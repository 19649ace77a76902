"""Pictures of the city as a potential game."""

PICTURES = {
    "commuting": {"rents": "city:draw_rents"},
    "fujita-ogawa": {"city": "city:draw_city"},
}
"""Model → picture of its solution → what draws it, in a module of this family."""

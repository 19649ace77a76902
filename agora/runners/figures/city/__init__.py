"""Pictures of the city as a potential game."""

PICTURES = {
    "commuting": "city:commuting_pictures",
    "fujita-ogawa": "city:city_pictures",
}
"""Model → what names the pictures of its solution, in a module of this family."""

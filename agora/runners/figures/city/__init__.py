"""Pictures of the city as a potential game."""

PICTURES = ("city",)
"""The modules that say which pictures the models of this family have."""

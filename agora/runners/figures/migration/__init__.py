"""Pictures of trade, migration and spatial mean-field games."""

PICTURES = ("games", "trade")
"""The modules that say which pictures the models of this family have."""

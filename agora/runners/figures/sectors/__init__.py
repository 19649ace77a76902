"""Pictures of competition among sectors and the reallocation of firms."""

PICTURES = ("firms",)
"""The modules that say which pictures the models of this family have."""

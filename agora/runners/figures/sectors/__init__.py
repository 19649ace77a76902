"""Pictures of competition among sectors and the reallocation of firms."""

PICTURES = {
    "invisible-hand": "firms:firm_pictures",
}
"""Model → what names the pictures of its solution, in a module of this family."""

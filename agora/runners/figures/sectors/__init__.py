"""Pictures of competition among sectors and the reallocation of firms."""

PICTURES = {
    "invisible-hand": {"invisible-hand": "firms:draw_invisible_hand"},
}
"""Model → picture of its solution → what draws it, in a module of this family."""

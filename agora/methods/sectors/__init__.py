"""Methods for competition among sectors and the reallocation of firms."""

METHODS = ("differentiable", "minimizing_movement", "short_run")
"""The modules that say how the models of this family are solved and differentiated."""

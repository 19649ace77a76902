"""Algebra of competition among sectors and the reallocation of firms."""

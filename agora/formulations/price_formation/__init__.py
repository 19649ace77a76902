"""Algebra of the price of an asset in a mean-field game."""

"""Algebra of the city as a potential game."""

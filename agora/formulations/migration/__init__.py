"""Algebra of trade, migration and spatial mean-field games."""

"""Algebra of the endogenous formation of marketplaces."""

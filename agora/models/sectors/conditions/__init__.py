"""Definitions of equilibrium, evaluated from tables alone."""

"""Figures: one visual language, and a file for each kind of picture."""

"""Measurements of Agora beside its rivals; see README.md. Not part of the installed package."""

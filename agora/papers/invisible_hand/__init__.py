"""Fabbri, Fiaschi & Ricci (2025): the claims of the abstract, checked in a model in its spirit."""

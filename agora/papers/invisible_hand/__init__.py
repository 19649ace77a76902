"""Fabbri, Fiaschi & Ricci (2025): the claims of the abstract, checked in a model in its spirit."""

from agora.papers.invisible_hand import beyond, model_facts, statements

__all__ = ["beyond", "model_facts", "statements"]

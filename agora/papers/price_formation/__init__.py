"""Price formation in a mean-field game (arXiv 2506.04169): its five cases, with true equilibria."""

from agora.papers.price_formation import beyond, replies, statements, theory

__all__ = ["beyond", "replies", "statements", "theory"]

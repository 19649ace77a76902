"""Berliant & Konishi (2000): computations that check section 5's tables and statements, and Example 1."""

from agora.papers.berliant_konishi import (
    beyond,
    example_one,
    geography,
    printed_cells,
    statements,
    theory,
)

__all__ = ["beyond", "example_one", "geography", "printed_cells", "statements", "theory"]

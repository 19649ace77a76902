"""Berliant & Konishi (2000): computations that check the tables and statements of section 5."""

from agora.runners.reproductions.berliant_konishi import beyond, printed_cells, statements

__all__ = ["beyond", "printed_cells", "statements"]

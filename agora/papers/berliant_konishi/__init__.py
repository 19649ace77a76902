"""Berliant & Konishi (2000): computations that check section 5's tables and statements, and Example 1."""

"""Osawa & Akamatsu (2019): computations that check its claims, by the part of the paper."""

from agora.papers.osawa_akamatsu import (
    appendix_e,
    beyond,
    circles,
    city_basics,
    general,
    many_cells,
    three_cells,
    two_cells,
)

__all__ = [
    "appendix_e",
    "beyond",
    "circles",
    "city_basics",
    "general",
    "many_cells",
    "three_cells",
    "two_cells",
]

"""Studies of cities, certified throughout: maps of maximisers, welfare optima, prices of anarchy."""

from agora.methods.city.certified_map import certified_map
from agora.methods.city.efficiency import anarchy_map, welfare_optimum, worst_anarchy_map

__all__ = ["anarchy_map", "certified_map", "welfare_optimum", "worst_anarchy_map"]

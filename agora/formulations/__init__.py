"""How a piece of economics is written as algebra: small, cited, reusable functions.

Each ``add_<component>_<quantity>(block, ...)`` adds one named piece of algebra to a Pyomo block.
"""

from agora.formulations.city.commuting import add_commuting_edges, add_commuting_pairs

__all__ = ["add_commuting_edges", "add_commuting_pairs"]

"""What the world gives: geographies, externalities, scenarios, published numbers.

Constructors and readers return plain `networkx` graphs with checked attributes:
node ``land``, optional ``x`` and ``y``; edge ``length``.
"""

from agora.data.checks import Caution, InputError
from agora.data.externalities import (
    ExponentialDecay,
    InteractionMatrix,
    ProductionFunction,
    WithinCellPower,
)
from agora.data.geographies import (
    as_geography,
    circle,
    grid,
    hexagonal,
    segment,
    star,
    torus,
    tree,
    two_cell,
)
from agora.data.readers import read_edge_table, read_geography, read_graphml, read_tntp
from agora.data.scenarios import Scenario, read_scenario, shipped_scenarios

__all__ = [
    "Caution",
    "ExponentialDecay",
    "InputError",
    "InteractionMatrix",
    "ProductionFunction",
    "Scenario",
    "WithinCellPower",
    "as_geography",
    "circle",
    "grid",
    "hexagonal",
    "read_edge_table",
    "read_geography",
    "read_graphml",
    "read_scenario",
    "read_tntp",
    "segment",
    "shipped_scenarios",
    "star",
    "torus",
    "tree",
    "two_cell",
]

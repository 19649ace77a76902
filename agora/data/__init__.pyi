from .checks import Caution, InputError
from .city import (
    ExponentialDecay,
    InteractionMatrix,
    ProductionFunction,
    WithinCellPower,
)
from .geographies import (
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
from .geography_files import (
    read_edge_table,
    read_geography,
    read_graphml,
    read_tntp,
)
from .scenarios import (
    Scenario,
    read_scenario,
    shipped_scenarios,
)
from .sectors import read_panel

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
    "read_panel",
    "read_scenario",
    "read_tntp",
    "segment",
    "shipped_scenarios",
    "star",
    "torus",
    "tree",
    "two_cell",
]

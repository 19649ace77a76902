"""Markets of the price-formation game that several tests solve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from agora.models.price_formation.price_formation import PriceFormation

NONE: dict[str, Any] = {"kind": "none"}
SINE: dict[str, Any] = {"kind": "sine", "frequency": 10.0}
WIENER: dict[str, Any] = {"kind": "wiener", "seed": 1}
WELLS: dict[str, Any] = {"kind": "double-well", "weight": 50.0, "wells": [0.25, 0.75]}


def quadratic(weight: float = 10.0, target: float = 0.0) -> dict[str, Any]:
    return {"kind": "quadratic", "weight": weight, "target": target}


def game(agents: Any = 10, steps: int = 40, **changes: Any) -> PriceFormation:
    law = agents
    if isinstance(agents, int):
        law = {"kind": "linspace", "from": 0.0, "to": 1.0, "number": agents}
    given = {"horizon": 1.0, "steps": steps, "agents": law, "supply": SINE, "terminal": quadratic()}
    return PriceFormation(**{**given, **changes})


def prices(tables: dict[str, pd.DataFrame]) -> np.ndarray:
    return tables["price"]["price"].to_numpy(dtype=float)

"""A synthetic panel of sectors: the invisible hand with immobile labour, seen once a year with noise."""

from __future__ import annotations

import numpy as np
import pandas as pd

from agora.data.geographies import circle
from agora.methods.sectors.reallocation_equation import orbit
from agora.models.sectors.invisible_hand import InvisibleHand


def synthetic_panel(sectors: int = 40, first_year: int = 2018, years: int = 6, seed: int = 1) -> pd.DataFrame:
    """Return a panel made by a model economy; it says nothing about any real one.

    Workers stay in their sectors on a ring; firms start away from the long run and move. Profit rates are
    observed with a small error; productivity, output per worker, with shocks that last.

    Parameters
    ----------
    sectors, years : int
        Size of the panel.
    first_year : int
        What the first year is called.
    seed : int
        Seed of the productivities, the labour, the start and the errors.

    Returns
    -------
    DataFrame
        sector, year, firms, profit_rate, productivity; rounded to six digits.
    """
    random = np.random.default_rng(seed)
    model = InvisibleHand(
        geography=circle(sectors),
        firm_share=0.35,
        substitution=3.0,
        moving_cost=150.0,
        productivity=np.exp(random.normal(0.0, 0.2, sectors)).tolist(),
        immobile_labor=np.exp(random.normal(0.0, 0.4, sectors)).tolist(),
        initial=np.exp(random.normal(0.0, 0.25, sectors)).tolist(),
        horizon=float(years - 1) / 10,
        step=0.1,
    )
    times = np.linspace(0.0, (years - 1) / 10, years)
    masses, _, _ = orbit(model, times)
    path = model.state_tables(times, masses, np.zeros(years))["path"]
    rate = path["profit_rate"].to_numpy().reshape(years, sectors)
    product = (path["price"] * path["output"] / path["labor"]).to_numpy().reshape(years, sectors)
    lasting = np.exp(random.normal(0.0, 0.02, (years, sectors)).cumsum(axis=0))
    rate = rate + random.normal(0.0, 0.005, (years, sectors))
    frame = pd.DataFrame(
        {
            "sector": [f"S{k + 1:02d}" for k in range(sectors)] * years,
            "year": np.repeat(np.arange(first_year, first_year + years), sectors),
            "firms": masses.ravel(),
            "profit_rate": rate.ravel(),
            "productivity": (product * lasting).ravel(),
        }
    )
    return frame.round(6).sort_values(["sector", "year"], ignore_index=True)

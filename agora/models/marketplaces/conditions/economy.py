r"""The equilibrium with market utilisation fees, evaluated from tables.

Berliant & Konishi (2000), Definition 2.13: (i) profit maximisation, (ii) cost minimisation of the
set-up, (iii) market clearing, (iv) budgets with the fee p·q, (v) nobody would rather live elsewhere
or consume something else. With Theorem 3.1 this is Core(d) = E(d), in numbers. Prices are on the
unit simplex; quantities are totals of the site unless said otherwise. Nothing is shared with the
program.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agora.data.geographies import sorted_cells
from agora.data.marketplaces import MarketplaceParameters
from agora.models.certificate import Condition, worst_case
from agora.models.marketplaces.conditions.coalition import labelled_rows
from agora.typing import Vector


def marketplace_conditions(
    economy: MarketplaceParameters, tables: Mapping[str, pd.DataFrame], tolerance: float
) -> tuple[Condition, ...]:
    """Evaluate every condition of Definition 2.13 and every identity of the tables."""
    goods = list(range(1, len(economy.commodity_shares) + 1))
    homes = list(range(len(economy.makes)))
    kinds = {"commodity": goods, "wage": homes, "rent": homes}
    frame, missing_sites = labelled_rows(tables["sites"], ["site"], homes)
    number = len(tables["marketplaces"])
    markets, missing_markets = labelled_rows(tables["marketplaces"], ["marketplace"], list(range(number)))
    listed, missing_prices = labelled_rows(
        tables["prices"], ["kind", "of"], [(kind, each) for kind, names in kinds.items() for each in names]
    )
    totals = tables["totals"].reset_index(drop=True).reindex([0]).iloc[0]
    times, misplaced = _times(economy, frame, markets)
    travel, chosen = times.min(axis=1, initial=np.inf), markets["location"].to_numpy()
    used = np.array(
        [times[j, chosen == name].min(initial=np.inf) for j, name in enumerate(frame["marketplace"])]
    )

    def priced(kind: str) -> Vector:
        return listed.xs(kind, level="kind")["price"].to_numpy(dtype=float)

    p, w, r = (priced(kind) for kind in kinds)
    made, plots = np.array(economy.makes), _plots(economy)
    m, work, leisure, land = (
        frame[name].to_numpy(dtype=float) for name in ("population", "production", "leisure", "land")
    )
    eaten = np.array([frame[f"consumption_{i}"].to_numpy(dtype=float) for i in goods])
    built = np.array([float(totals[f"setup_input_{i}"]) for i in goods])
    need = economy.setup_cost * _units(economy, chosen)
    cheapest = need * _composite_price(economy, p)
    fee, rents = float(p @ built), float(r @ plots)
    income = w * (economy.time - travel) + rents - fee
    spent = (p @ eaten + w * leisure + r * land) / m
    best = income / _price_of_utility(economy, p, w, r)
    reached = _utility(economy, eaten / m, leisure / m, land / m)
    u, lived = float(totals["utility"]), m > 1e-6
    composite = float(np.prod(built ** np.array(economy.setup_shares)))

    at_sites = partial(worst_case, places=[f"site {j}" for j in homes], tolerance=tolerance)
    of_goods = partial(worst_case, places=[f"commodity {i}" for i in goods], tolerance=tolerance)
    at_markets = partial(worst_case, places=chosen, tolerance=tolerance)

    def overall(name: str, difference: float) -> Condition:
        return worst_case(name, abs(difference), ["the economy"], tolerance)

    produced = np.array([work[made == i].sum() for i in goods])
    home = frame["marketplace"].to_numpy()
    guests = [markets["users"].to_numpy(dtype=float)[chosen == name].sum() for name in chosen]
    people = [m[home == name].sum() for name in chosen]
    return (
        worst_case(
            "rows: each site, marketplace and price once",
            [missing_sites, missing_markets, missing_prices, abs(len(tables["totals"]) - 1)],
            ["sites", "marketplaces", "prices", "totals"],
            tolerance,
        ),
        at_markets("marketplaces lie in D", _outside(economy, markets)),
        overall("marketplaces are those that may be", _not_as_given(economy, markets)),
        at_sites("sites make the given commodities", np.abs(frame["makes"].to_numpy(dtype=float) - made)),
        overall("prices are on the unit simplex", p.sum() + w.sum() + r.sum() - 1),
        worst_case("prices ≥ 0", -np.concatenate([p, w, r]), listed.index, tolerance),
        at_sites("(i) no firm can profit, w ≥ p", p[made - 1] - w),
        at_sites("(i) firms break even, work · (w − p)", np.abs(work * (w - p[made - 1]))),
        overall("(ii) the set-up is built at least cost", fee - cheapest),
        overall("(ii) the set-up need is met", min(composite - need, 0.0)),
        overall("(ii) the fee is the cost of the set-up", float(totals["fee"]) - fee),
        of_goods("(iii) commodity markets clear", np.abs(produced - eaten.sum(axis=1) - built)),
        at_sites(
            "(iii) land markets clear", np.where(lived, np.abs(land - plots), np.maximum(land - plots, 0.0))
        ),
        at_sites(
            "(iii) work, leisure and travel fill the day",
            np.abs(work + leisure + (travel - economy.time) * m),
        ),
        overall("everybody lives somewhere", m.sum() - 1),
        at_sites("(iv) budgets hold, with the fee", np.where(lived, np.abs(spent - income), 0.0)),
        at_sites(
            "(v) nobody could do better with their income", np.where(lived, np.abs(best - reached), 0.0)
        ),
        at_sites("(v) nobody would rather live elsewhere", best - u),
        at_sites("everybody reaches the common utility", np.where(lived, np.abs(reached - u), 0.0)),
        at_sites("wages in both tables", np.abs(frame["wage"] - w)),
        at_sites("rents in both tables", np.abs(frame["rent"] - r)),
        at_sites("travel is the distance to the nearest marketplace", np.abs(frame["travel"] - travel)),
        at_sites("each site uses a nearest marketplace", np.abs(used - travel)),
        at_sites("positions are the given ones", misplaced),
        overall("totals: set-up need", float(totals["setup_need"]) - need),
        overall("totals: rent income", float(totals["rent_income"]) - rents),
        overall("totals: marketplaces", float(totals["marketplaces"]) - number),
        at_markets("marketplaces: users", np.abs(np.subtract(guests, people))),
    )


def _plots(economy: MarketplaceParameters) -> Vector:
    """Return the land of each site per head (J,)."""
    if economy.land is None and economy.geography is not None:
        graph = economy.geography
        return np.array([float(graph.nodes[cell]["land"]) for cell in sorted_cells(graph)])
    return np.broadcast_to(1.0 if economy.land is None else economy.land, len(economy.makes)).astype(float)


def _times(
    economy: MarketplaceParameters, frame: pd.DataFrame, markets: pd.DataFrame
) -> tuple[Vector, Vector]:
    """Return the time from every site to every marketplace (J, K), and how wrong the sites' positions are."""
    pace = economy.time_per_distance
    if economy.geography is not None:
        cells = sorted_cells(economy.geography)
        wrong = np.array(
            [0.0 if text == str(c) else np.inf for text, c in zip(frame["position"], cells, strict=True)]
        )
        rows = zip(markets["cell"], markets["towards"], markets["distance"], strict=True)
        ways = [_ways(economy.geography, near, far, along) for near, far, along in rows]
        return pace * np.array(ways).reshape(len(ways), len(cells)).T, wrong
    sites = np.array(economy.sites)
    if sites.ndim == 2:
        points = markets[["x", "y"]].to_numpy(dtype=float)
        misplaced = np.abs(frame[["x", "y"]].to_numpy(dtype=float) - sites).max(axis=1)
        return pace * np.sqrt(((sites[:, None, :] - points) ** 2).sum(axis=-1)), misplaced
    there = markets["location"].to_numpy(dtype=float)
    return pace * np.abs(sites[:, None] - there), np.abs(frame["position"].to_numpy(dtype=float) - sites)


def _ways(graph: nx.Graph, near: Any, far: Any, along: float) -> Vector:
    """Return the distance from every cell to a point of an edge; NaN if the edge has no such point."""
    cells = sorted_cells(graph)
    length = graph.edges[near, far]["length"] if graph.has_edge(near, far) else np.nan
    if not 0 <= along <= length:
        return np.full(len(cells), np.nan)
    from_near, from_far = (
        nx.single_source_dijkstra_path_length(graph, cell, weight="length") for cell in (near, far)
    )
    return np.array([min(from_near[cell] + along, from_far[cell] + length - along) for cell in cells])


def _outside(economy: MarketplaceParameters, markets: pd.DataFrame) -> Vector:
    """Return how far each marketplace is outside D (K,); on a network its edge says that it is inside."""
    if economy.geography is not None:
        return np.zeros(len(markets))
    sites, plane = np.array(economy.sites), np.ndim(economy.sites) == 2
    low, high = economy.region or (sites.min(axis=0), sites.max(axis=0))
    there = markets[["x", "y"] if plane else ["location"]].to_numpy(dtype=float)
    beyond: Vector = np.maximum(np.array(low) - there, there - np.array(high)).max(axis=1)
    return beyond


def _not_as_given(economy: MarketplaceParameters, markets: pd.DataFrame) -> float:
    """Return how far marketplaces are from the given ones, or how many there are beyond the given number."""
    given = economy.marketplaces
    if isinstance(given, str):
        return 0.0 if len(markets) else 1.0
    if isinstance(given, int):
        return float(max(len(markets) - given, 1 - len(markets), 0))
    if len(given) != len(markets):
        return float(abs(len(given) - len(markets)))
    if economy.geography is not None:
        graph = economy.geography
        wanted = [_ways(graph, *_on_an_edge(graph, location)) for location in given]
        rows = zip(markets["cell"], markets["towards"], markets["distance"], strict=True)
        listed = np.array([_ways(graph, near, far, along) for near, far, along in rows])
    else:
        wanted = [np.atleast_1d(np.array(location, dtype=float)) for location in given]
        columns = ["x", "y"] if np.ndim(economy.sites) == 2 else ["location"]
        listed = markets[columns].to_numpy(dtype=float)
    away = np.abs(np.array(wanted)[:, None, :] - listed[None, :, :]).max(axis=-1)
    return float(np.maximum(away.min(axis=0).max(), away.min(axis=1).max()))


def _on_an_edge(graph: nx.Graph, location: Any) -> tuple[Any, Any, float]:
    """Return a given location as a cell, a neighbour of it, and the way from the one towards the other."""
    if isinstance(location, tuple) and location not in graph:
        near, far, along = location
        return near, far, float(along)
    return location, next(iter(graph[location])), 0.0


def _units(economy: MarketplaceParameters, locations: NDArray[Any]) -> float:
    """Return the set-up need in units of q̄."""
    railway = economy.railway
    if railway.scale == "per-marketplace":
        return float(len(locations))
    cost = railway.cost_per_length
    low, high = float(min(locations)), float(max(locations))
    if isinstance(cost, float):
        return 1.0 + cost * (high - low)
    return 1.0 + float(sum(max(min(end, high) - max(start, low), 0.0) * each for start, end, each in cost))


def _composite_price(economy: MarketplaceParameters, p: Vector) -> float:
    """Return the least cost of one composite Π Q_i^{γ_i}."""
    return float(np.prod([float(p[i] / g) ** g for i, g in enumerate(economy.setup_shares) if g > 0]))


def _price_of_utility(economy: MarketplaceParameters, p: Vector, w: Vector, r: Vector) -> Vector:
    """Return what a unit of utility costs at each site (J,)."""
    shares = [*economy.commodity_shares, economy.leisure_share, economy.land_share]
    prices = [*(np.full(len(w), each) for each in p), w, np.maximum(r, 1e-300)]
    used = [(share, cost) for share, cost in zip(shares, prices, strict=True) if share > 0]
    if economy.substitution is None:
        cost: Vector = np.prod([(each / share) ** share for share, each in used], axis=0)
        return cost
    s = economy.substitution
    total: Vector = np.sum([share**s * each ** (1 - s) for share, each in used], axis=0) ** (1 / (1 - s))
    return total


def _utility(economy: MarketplaceParameters, c: Vector, leisure: Vector, land: Vector) -> Vector:
    """Return the utility of a head's bundle at each site (J,)."""
    shares = [*economy.commodity_shares, economy.leisure_share, economy.land_share]
    used = [(share, x) for share, x in zip(shares, [*c, leisure, land], strict=True) if share > 0]
    if economy.substitution is None:
        reached: Vector = np.prod([x**share for share, x in used], axis=0)
        return reached
    rho = (economy.substitution - 1) / economy.substitution
    total: Vector = np.sum([share * x**rho for share, x in used], axis=0) ** (1 / rho)
    return total

"""The Fujita–Ogawa city: which method answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from agora.formulations.city.commuting import add_commuting_edges, add_commuting_pairs
from agora.methods.answers import (
    Answer,
    Options,
    Progress,
    SearchOptions,
    answer,
    options_class,
)
from agora.methods.city.all_equilibria import all_equilibria
from agora.methods.city.best_response import best_response
from agora.methods.city.global_search import certified_maximiser
from agora.methods.city.histories import Dynamic, where_it_leads
from agora.methods.city.nonlinear import complementarity, potential_program
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.models.city.tables import number_of_centres
from agora.models.spatial import POSITIVE


class CityOptions(SearchOptions):
    """How to solve a Fujita–Ogawa city.

    Parameters
    ----------
    method : str
        ``best-response`` (local maximisers, linear programs), ``global`` (the global maximiser with
        proof: all vertices up to 10 cells; more, of equal land with φ = 1, on circles, lines and
        trees by dynamic programs, elsewhere as far as HiGHS proves it),
        ``all-equilibria`` (every equilibrium of up to 6 cells, classified), ``history`` (the
        equilibrium to which a dynamic leads), ``ipopt`` (the overall program (P0) by IPOPT),
        ``complementarity`` (Definition 1, for externalities without a potential).
    starts : int
        Number of starting points.
    seed : int
        Seed of everything random.
    commuting : str
        ``edges`` or ``pairs``: the formulation of commuting for method ``ipopt``.
    folded : bool
        Whether method ``global`` lists local maximisers that are mirror images of each other once.
    within : float
        Numéraire: method ``global`` counts and lists configurations whose potential is at most so
        much below the best, beyond 10 cells.
    samples : int
        Distributions of firms from which method ``all-equilibria`` estimates basins.
    dynamic : str
        Of method ``history``: ``best-response``, ``projection``, ``smith``, ``bnn``, ``replicator``.
    start : sequence of float, optional
        Firms of each cell when the history begins; unless given, the even distribution, disturbed.
    horizon : float, optional
        Length of the history.
    steps : int
        Times of the history that are recorded.
    """

    method: Literal["best-response", "global", "all-equilibria", "history", "ipopt", "complementarity"] = (
        "best-response"
    )
    starts: int = Field(default=20, ge=1, json_schema_extra={"allowed": "a whole number >= 1"})
    seed: int = Field(default=1, ge=0, json_schema_extra={"allowed": "a whole number >= 0"})
    commuting: Literal["edges", "pairs"] = "edges"
    samples: int = Field(default=200, ge=1, json_schema_extra={"allowed": "a whole number >= 1"})
    dynamic: Dynamic = "best-response"
    start: tuple[float, ...] | None = None
    horizon: float | None = Field(default=None, gt=0, json_schema_extra=POSITIVE)
    steps: int = Field(default=100, ge=1, json_schema_extra={"allowed": "a whole number >= 1"})
    folded: bool = Field(default=True, json_schema_extra={"allowed": "true or false"})
    within: float = Field(default=0.0, ge=0, json_schema_extra={"allowed": "a finite number >= 0"})


@answer.register
def _(model: FujitaOgawa, options: dict[str, Any], progress: Progress) -> tuple[Answer, Options]:
    chosen = CityOptions.model_validate(options)
    methods: dict[str, Callable[[], Answer]] = {
        "best-response": lambda: best_response(model, chosen.starts, chosen.seed, progress),
        "global": lambda: certified_maximiser(
            model, chosen.within, chosen.seconds, progress, folded=chosen.folded
        ),
        "all-equilibria": lambda: all_equilibria(model, chosen.samples, chosen.seed, progress),
        "history": lambda: where_it_leads(
            model, chosen.dynamic, chosen.start, chosen.horizon, chosen.steps, chosen.seed, progress
        ),
        "ipopt": lambda: potential_program(
            model,
            {"edges": add_commuting_edges, "pairs": add_commuting_pairs}[chosen.commuting],
            chosen.starts,
            chosen.seed,
            progress,
        ),
        "complementarity": lambda: complementarity(model, chosen.seed, chosen.starts, progress),
    }
    found = methods[chosen.method]()
    cells = found.tables["cells"]
    residents, employment = (cells[name].to_numpy(dtype=float) for name in ("residents", "employment"))
    centres = number_of_centres(model.network, residents, employment)
    return replace(found, facts={**found.facts, "centres": centres}), chosen


@options_class.register
def _(model: FujitaOgawa) -> type[Options]:
    return CityOptions

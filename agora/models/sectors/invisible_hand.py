r"""The invisible hand: firms move towards higher profit rates, and aggregate consumption climbs.

At every date a short-run competitive equilibrium holds. Firms move between neighbouring sectors at a cost
that is quadratic in speed, v = ∇π/c: the distribution of firms follows the Wasserstein gradient flow of a
function of aggregate consumption. Each step of the minimising movements is one program. A model in the spirit
of Fabbri, Fiaschi and Ricci (2025): their equations are not public, and those here are derived so that the
claims of their abstract hold.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from agora.data.checks import Caution, InputError, positive
from agora.data.fields import NOT_NEGATIVE, POSITIVE
from agora.data.profiles import Profile
from agora.formulations.sectors import short_run, transport
from agora.formulations.sectors.reallocation_numbers import Reallocation
from agora.models.certificate import Condition
from agora.models.model import ModelCard
from agora.models.sectors.conditions.reallocation import invisible_hand_conditions
from agora.models.sectors.economy import REALLOCATION_TABLES, SectorEconomy, profile
from agora.models.table_spec import TableSpec
from agora.typing import Tables, Vector


class UnstableExternality(Caution):
    """The externality is so strong that firms attract firms: the spread-out long run is unstable."""


class InvisibleHand(SectorEconomy):
    r"""Reallocation of firms between sectors as a gradient flow of aggregate consumption.

    Parameters
    ----------
    geography : networkx.Graph
        Sectors with ``land`` λ > 0 (numbers of varieties), links with ``length`` ℓ > 0 along which firms
        move. It may fall into several pieces: mass is then conserved in each.
    firm_share, substitution, firms, labor, productivity, preferences, externality, immobile_labor
        The short run, as in `ShortRunCompetition`; θ < 1, that is η < 1/(σ − 1) where labour is mobile, makes
        the long run unique and stable, and a larger η is warned of.
    moving_cost : float
        c > 0: a firm that moves at speed v pays (c/2) v² per unit of time (numéraire).
    fixed_cost : float
        φ ≥ 0 per unit of time on the move: no firm moves where |∇π| ≤ √(2cφ).
    noise : float
        ν ≥ 0: firms also diffuse at rate ν (length² per time), which adds −cν Σ n log(n/λ) to what climbs.
    numeraire : str
        ``consumption`` (P = 1), ``labor`` (wage 1; labour must be mobile) or ``expenditure`` (PC = 1). Orbits
        agree, clocks differ.
    initial : list or table
        Density of firms at time 0 up to a factor, > 0; even unless given.
    horizon : float or "long-run"
        Time T > 0 until which firms move, or until profit rates are equal.
    step : float
        τ > 0, length of a step (of the first, under step control).

    Raises
    ------
    InputError
        One sentence that names the field, its value, and what is allowed.
    """

    unit_of: ClassVar[Mapping[str, str]] = {
        **SectorEconomy.unit_of,
        "moving_cost": "numéraire × time per squared length and firm",
        "fixed_cost": "numéraire per firm and time",
        "noise": "squared length per time",
        "horizon": "time",
        "step": "time",
    }
    tables_spec: ClassVar[Mapping[str, TableSpec]] = REALLOCATION_TABLES

    card: ClassVar[ModelCard] = ModelCard(
        name="invisible-hand",
        question="Where do profit-seeking firms go, and is the economy where they end up efficient?",
        program="each step a convex program if θ < 1: concave consumption less a convex transport cost",
        citation="in the spirit of Fabbri, G., D. Fiaschi and C. Ricci (2025), The invisible hand as an "
        "emergent property: a gradient flow approach, arXiv:2508.14498",
        assumptions=(
            "a short-run competitive equilibrium at every date",
            "myopic firms, quadratic reallocation cost",
            "weights of the links 1/ℓ², mobility the arithmetic mean of the masses at both ends",
        ),
        left_out=("entry and exit of firms", "expectations", "capital"),
    )

    moving_cost: float = Field(default=1.0, gt=0, json_schema_extra=POSITIVE)
    fixed_cost: float = Field(default=0.0, ge=0, json_schema_extra=NOT_NEGATIVE)
    noise: float = Field(default=0.0, ge=0, json_schema_extra=NOT_NEGATIVE)
    numeraire: Literal["consumption", "labor", "expenditure"] = "consumption"
    initial: tuple[float, ...] | Profile = (1.0,)
    horizon: float | Literal["long-run"] = 1.0
    step: float = Field(default=0.01, gt=0, json_schema_extra=POSITIVE)

    @field_validator("initial", mode="before")
    @classmethod
    def _density(cls, given: Any) -> Any:
        return profile("initial", given)

    @field_validator("horizon", mode="before")
    @classmethod
    def _end(cls, given: Any) -> Any:
        if given == "long-run":
            return given
        if isinstance(given, str):
            raise InputError("horizon", given, "a finite number > 0, or 'long-run'")
        return positive("horizon", given)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self.over_sectors("initial", self.initial)
        if isinstance(self.horizon, float) and self.step > self.horizon:
            raise InputError("step", self.step, f"at most the horizon, {self.horizon:g}")
        if self.numeraire == "labor" and self.immobile_labor is not None:
            raise InputError("numeraire", "labor", "'consumption' or 'expenditure' where labour is immobile")
        if self.economy.curvature >= 1:
            limit = self.economy.largest_externality
            if self.horizon == "long-run":
                allowed = f"below {limit:.6g} for a long run in which firms come to rest"
                raise InputError("externality", self.externality, allowed)
            warnings.warn(
                f"externality is {self.externality:g}, not below {limit:.6g}: firms attract firms, and "
                "an even distribution is unstable",
                UnstableExternality,
                stacklevel=2,
            )
        return self

    # --- numbers -------------------------------------------------------------------------------

    @cached_property
    def links(self) -> transport.Links:
        """Links along which firms move, each once."""
        return transport.links_of(self.network)

    @cached_property
    def pieces(self) -> NDArray[np.int64]:
        """The connected piece of each sector (I,), numbered from 0."""
        once = np.ones(self.links.number), (self.links.tails, self.links.heads)
        number = self.network.number
        groups: NDArray[np.int64] = connected_components(csr_array(once, shape=(number, number)), False)[1]
        return groups

    @cached_property
    def start(self) -> Vector:
        """Masses of firms at time 0 (I,), summing to N."""
        return self.spread_out("initial", self.initial)

    @cached_property
    def rest(self) -> Vector:
        """Masses of firms in the long run (I,): profit rates equal in every piece; ν = φ = 0, θ < 1."""
        totals: Vector = np.bincount(self.pieces, weights=self.start).astype(float)
        return self.economy.long_run(totals, self.pieces)

    @cached_property
    def motion(self) -> Reallocation:
        """What firms earn and pay on the links, as arrays."""
        return Reallocation(
            economy=self.economy,
            links=self.links,
            moving_cost=self.moving_cost,
            fixed_cost=self.fixed_cost,
            noise=self.noise,
            numeraire=self.numeraire,
        )

    @property
    def is_convex(self) -> bool:
        """Whether every step is a convex program: θ < 1 and, unless the value is a logarithm, κ ≤ 1."""
        concave = self.numeraire != "consumption" or self.economy.degree <= 1
        return bool(self.economy.curvature < 1 and concave)

    # --- programs ------------------------------------------------------------------------------

    def program(self, slabs: int = 1) -> pyo.ConcreteModel:
        r"""Return the first step as a program in flux form; see `step_program`."""
        return self.step_program(self.start, self.step, slabs)

    def step_program(self, firms: Vector, step: float, slabs: int = 1) -> pyo.ConcreteModel:
        r"""Return one minimising movement in flux form.

        .. math:: \max_n \; \Phi(n) - \frac{c}{2 \tau} W_2^2(n, m), \qquad
                  \Phi(n) = \frac{\alpha}{\kappa} f(C[n]) - c \nu \sum_i n_i \log (n_i/\lambda_i)

        f(C) is C (P = 1), (L̄/(1−α)) log C (wage 1) or log C (PC = 1), W₂ the transport distance by flows on
        the links, in one slab of time unless `slabs` says more. Multipliers of ``firm_flow_balance`` are what
        firms are worth in each sector.

        Parameters
        ----------
        firms : (I,) array
            m, masses before the step.
        step : float
            τ > 0.
        slabs : int
            S ≥ 1; as S grows the cost becomes that of the best path of distributions.
        """
        program = self._begin(firms, step)
        transport.add_reallocation_flows(program, self.links, slabs)
        if self.fixed_cost > 0:
            transport.add_quadratic_and_fixed_cost(program, self.links, self.moving_cost, self.fixed_cost)
        else:
            transport.add_quadratic_cost(program, self.links, self.moving_cost)
        return self._finish(program)

    def plan_program(self, firms: Vector, step: float, reach: float | None = None) -> pyo.ConcreteModel:
        """Return one minimising movement with W₂ in Kantorovich's form: a plan between all pairs of sectors.

        It agrees with the flux form where firms move much further than the length of a link; a shorter way
        than a link a plan does not know. Pairs further apart than `reach` are left out; φ must be 0.
        """
        if self.fixed_cost > 0:
            raise InputError("fixed_cost", self.fixed_cost, "0 for a transport plan")
        program = self._begin(firms, step)
        transport.add_transport_plan(program, self.network.distances, self.moving_cost, reach)
        return self._finish(program)

    def _begin(self, firms: Vector, step: float) -> pyo.ConcreteModel:
        program = pyo.ConcreteModel(name="invisible hand, one step")
        masses = self.by_sector(np.asarray(firms, dtype=float))
        short_run.add_sectors(program, self.network.cells, masses)
        transport.add_step(program, masses, step)
        economy, reference = self.economy, self.spread_out("initial", (1.0,))
        base, shares = self.by_sector(reference), self.by_sector(economy.shares(reference))
        consumption = float(economy.consumption(reference))
        if economy.curvature == 0:
            short_run.add_consumption_of_firms_cobb_douglas(
                program, base, shares, economy.degree, consumption
            )
        else:
            short_run.add_consumption_of_firms(
                program, base, shares, economy.curvature, economy.degree, consumption
            )
        program.firm_index.set_value(self.firm_index(firms))
        return program

    def firm_index(self, firms: Vector) -> float:
        """Return Ẑ of the program: the index of firms that aggregate consumption depends on."""
        reference = self.spread_out("initial", (1.0,))
        shares, relative = self.economy.shares(reference), np.asarray(firms) / reference
        theta = self.economy.curvature
        return float(shares @ (np.log(relative) if theta == 0 else relative**theta))

    def _finish(self, program: pyo.ConcreteModel) -> pyo.ConcreteModel:
        value: Any = self.motion.scale * (
            program.consumption if self.numeraire == "consumption" else program.log_consumption
        )
        if self.noise > 0:
            land, firms = self.by_sector(self.network.land), program.firms
            crowding = pyo.quicksum(firms[i] * pyo.log(firms[i] / land[i]) for i in program.sectors)
            value -= self.moving_cost * self.noise * crowding
        program.potential = pyo.Expression(expr=value, doc="Φ, what climbs")
        program.value = pyo.Objective(
            expr=program.potential - program.reallocation_cost,
            sense=pyo.maximize,
            doc="Φ(n) − (c/2τ) W₂²(n, m)",
        )
        return program

    # --- reading -------------------------------------------------------------------------------

    def read(self, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        """Return the tables of a path of one step, from a solved program in flux form with one slab."""
        flows = np.array([float(flow.value) for flow in program.flow.values()])
        step = float(program.step.value)
        return self.path_tables(np.array([0.0, step]), self.start[None, :], flows[None, :])

    def path_tables(self, times: Vector, firms: Vector, flows: Vector) -> dict[str, pd.DataFrame]:
        """Return ``path``, ``aggregate`` and ``reallocation`` of steps with given flows.

        Parameters
        ----------
        times : (K + 1,) array
            Ends of the steps, from 0.
        firms : (1, I) array or (K + 1, I) array
            Masses at time 0, or at all times.
        flows : (K, E) array
            Net flows during each step; masses after a step are those before it plus arrivals.
        """
        masses = np.concatenate([firms[:1], self.links.arrivals(flows, self.network.number)]).cumsum(axis=0)
        middle = masses[:-1] + 0.5 * np.diff(masses, axis=0)
        spent = self.motion.costs(flows, middle, np.diff(times))
        cumulated = np.concatenate([[0.0], spent.sum(axis=1).cumsum()])
        tables = self.state_tables(times, masses, cumulated)
        names = [str(cell) for cell in self.network.cells]
        steps, links = flows.shape
        tables["reallocation"] = pd.DataFrame(
            {
                "time": np.repeat(times[1:], links),
                "origin": [names[k] for k in self.links.tails] * steps,
                "destination": [names[k] for k in self.links.heads] * steps,
                "flow": flows.ravel(),
            }
        )
        return tables

    def state_tables(self, times: Vector, masses: Vector, cumulated: Vector) -> dict[str, pd.DataFrame]:
        """Return ``path`` and ``aggregate`` of masses (T, I) at `times`, with the costs paid so far (T,)."""
        economy, unit = self.economy, self.motion.unit(masses)
        steps, sectors = masses.shape
        rates = economy.profit_rates(masses) * unit[:, None]
        path = pd.DataFrame(
            {
                "time": np.repeat(times, sectors),
                "sector": [str(cell) for cell in self.network.cells] * steps,
                "firms": masses.ravel(),
                "profit_rate": rates.ravel(),
                "labor": economy.workers(masses).ravel(),
                "price": (economy.prices(masses) * unit[:, None]).ravel(),
                "output": economy.output(masses).ravel(),
                "wage": (economy.wages(masses) * unit[:, None]).ravel(),
            }
        )
        aggregate = pd.DataFrame(
            {
                "time": times,
                "consumption": economy.consumption(masses),
                "reallocation_cost": cumulated,
                "profit_spread": np.ptp(rates, axis=1),
                "potential": self.motion.potential(masses),
            }
        )
        return {"path": path, "aggregate": aggregate}

    def expected_rows(self) -> dict[str, pd.DataFrame]:
        """Return what the rows of the tables are about: sectors, and links once each."""
        names, links = [str(cell) for cell in self.network.cells], self.links
        ends = {"origin": links.tails, "destination": links.heads}
        return {
            "path": pd.DataFrame({"sector": names}),
            "reallocation": pd.DataFrame({name: [names[k] for k in each] for name, each in ends.items()}),
        }

    def conditions(self, tables: Tables, tolerance: float = 1e-6) -> tuple[Condition, ...]:
        """Evaluate the short run at every date, and every firm's choice in every step, from the tables."""
        return invisible_hand_conditions(self, tables, tolerance)

r"""The Fujita–Ogawa city as a potential game (Osawa & Akamatsu 2019).

Firms want to be near firms, households commute to them, both compete for land. Every spatial
equilibrium is a Karush–Kuhn–Tucker point of one program, (P0): the potential f(m) of the firms'
externality less the households' commuting cost h(n), over land and labour constraints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyomo.environ as pyo
from pydantic import Field, field_validator, model_validator

from agora.data.checks import MISSING, InputError
from agora.data.city import KINDS, ExponentialDecay, Externality
from agora.data.fields import POSITIVE, read_kind
from agora.formulations.city import land_labor
from agora.formulations.city.commuting import add_commuting_edges, add_commuting_pairs
from agora.formulations.city.complementarity import add_city_complementarity
from agora.formulations.city.lattice import add_lattice_firms, add_lattice_production
from agora.formulations.city.spillovers import Interaction, add_production, check_symmetric, interaction
from agora.formulations.city.supporting_prices import add_supporting_prices
from agora.models.certificate import Condition
from agora.models.city.commuting import CommuterCity, Commuting
from agora.models.city.conditions import city_conditions
from agora.models.city.tables import CITY_TABLES, CityAllocation, city_tables, read_city
from agora.models.model import ModelCard
from agora.models.table_spec import TableSpec
from agora.typing import Tables, Vector


class FujitaOgawa(CommuterCity):
    """A city of firms and commuting households on any geography.

    Parameters
    ----------
    geography : networkx.Graph or DiGraph
        Cells with ``land`` (> 0), links with ``length`` (> 0); copied, never changed.
    commuting_cost : float
        t > 0, numéraire per unit of length and household; t_ij = t × (shortest path from i to j).
    decay : float
        τ > 0, per unit of length: shorthand for ``externality=ExponentialDecay(decay=τ)``.
    externality : Externality or dict
        Any other externality, from `agora.data`; give either this or `decay`.
    firm_mass : float
        M > 0, with M(1+φ) ≤ total land.
    labor_per_firm : float
        φ > 0, households per firm.

    Raises
    ------
    InputError
        One sentence that names the field, its value, and what is allowed.
    """

    card: ClassVar[ModelCard] = ModelCard(
        name="fujita-ogawa",
        question="Where do firms and households locate in a city, and how many business centres form?",
        program="nonconvex quadratic program with network-flow constraints; linear once production is given",
        citation="Osawa, M. and T. Akamatsu (2019), Equilibrium refinement for a model of non-monocentric "
        "internal structures of cities: a potential game approach; after Fujita and Ogawa (1982)",
        assumptions=(
            "a firm uses one unit of land and φ units of labour, a household one unit of land",
            "open city: households' reservation utility is 0; absentee landlords; opportunity rent 0",
            "externality symmetry, for a potential to exist; without it the complementarity program",
        ),
        left_out=("variable lot sizes", "congestion of the roads", "amenities"),
    )

    symbols: ClassVar[Mapping[str, str]] = {
        **CommuterCity.symbols,
        "tau": "decay",
        "τ": "decay",
        "M": "firm_mass",
    }
    unit_of: ClassVar[Mapping[str, str]] = {
        **CommuterCity.unit_of,
        "decay": "per unit of length",
        "firm_mass": "mass of firms",
    }
    tables_spec: ClassVar[Mapping[str, TableSpec]] = CITY_TABLES

    decay: float | None = Field(default=None, gt=0, json_schema_extra=POSITIVE)
    externality: Externality | None = None
    firm_mass: float = Field(gt=0, json_schema_extra=POSITIVE)

    @field_validator("externality", mode="before")
    @classmethod
    def _known_externality(cls, given: Any) -> Externality | None:
        known = given is None or isinstance(given, Externality)
        return given if known else read_kind("externality", given, KINDS)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.decay is None) == (self.externality is None):
            given = MISSING if self.decay is None else self.decay
            raise InputError("decay", given, "given (> 0) exactly when no externality is given")
        need, land = self.firm_mass * (1 + self.labor_per_firm), float(self.network.land.sum())
        if need > land * (1 + 1e-12):
            raise InputError(
                "firm_mass",
                self.firm_mass,
                f"at most {land / (1 + self.labor_per_firm):.12g}, so that firms and their workers, "
                f"M(1 + φ) = {need:.12g}, fit on the total land {land:.12g}",
            )
        return self

    # --- numbers -------------------------------------------------------------------------------

    @property
    def spillover(self) -> Externality:
        """The externality, `decay` spelled out."""
        if self.externality is not None:
            return self.externality
        assert self.decay is not None
        return ExponentialDecay(decay=self.decay)

    @cached_property
    def interaction(self) -> Interaction:
        """Production levels, potential and Jacobian as functions of the distribution of firms (I,)."""
        return interaction(self.spillover, self.network)

    @property
    def no_excess_land(self) -> bool:
        """Whether firms and households fill the land, (1+φ)M = Σ a_i (Assumption 3)."""
        land = float(self.network.land.sum())
        return abs((1 + self.labor_per_firm) * self.firm_mass - land) <= 1e-12 * land

    def check_potential(self) -> None:
        """Raise `InputError` if the externality is not symmetric, so that no potential exists."""
        if self.spillover.is_symmetric(self.network):
            return
        land, random = self.network.land, np.random.default_rng(0)
        even = self.firm_mass * land / land.sum()
        samples = [even, *(even * random.uniform(0.2, 1.8, size=len(land)) for _ in range(4))]
        check_symmetric(self.interaction, self.network, samples)

    @cached_property
    def has_potential(self) -> bool:
        """Whether production levels are the gradient of some f (Assumption 1 (ii))."""
        try:
            self.check_potential()
        except InputError:
            return False
        return True

    # --- programs ------------------------------------------------------------------------------

    def program(self, commuting: Commuting = add_commuting_edges) -> pyo.ConcreteModel:
        r"""Return the overall program (P0): max f(m) − h(n) over land, labour and the mass of firms.

        Osawa & Akamatsu (2019), Proposition 1. Multipliers: rents r_i (``land_limit``), wages w_j
        (``labor_balance``), profit π* (``firm_mass_balance``); `agora.models.price` turns them into
        prices. The objective is the potential, in the numéraire.

        Parameters
        ----------
        commuting : function
            The formulation of commuting: `add_commuting_edges` or `add_commuting_pairs`.
        """
        return self._with_potential(self._land_labor(commuting))

    def reduced_program(self, commuting: Commuting = add_commuting_edges) -> pyo.ConcreteModel:
        r"""Return the firms' program (P): max g(m) = f(m) − ȟ(m) over m in ℳ.

        Osawa & Akamatsu (2019), Proposition 3. ȟ(m) is the least commuting cost, so its minimum and
        the outer maximum are one maximisation; m ∈ ℳ stands as rows of its own (3.2), whose
        multipliers are r̂_i, while ``land_limit`` carries ř_i: the rent is r = ř + r̂.
        """
        program = self.program(commuting)
        land_labor.add_firm_land_limit(program)
        return program

    def welfare_program(self, commuting: Commuting = add_commuting_edges) -> pyo.ConcreteModel:
        r"""Return the welfare program (W): max Σ A_i(m) m_i − ȟ(m), firms' aggregate profits.

        Osawa & Akamatsu (2019), Remark 3. Exists for any externality, symmetric or not.
        """
        program = self._land_labor(commuting)
        add_production(self.spillover, program, self.network)
        output = pyo.quicksum(program.production_level[cell] * program.firms[cell] for cell in program.cells)
        program.welfare = pyo.Objective(
            expr=output - program.total_commuting_cost, sense=pyo.maximize, doc="Σ A_i m_i − h(n)"
        )
        return program

    def lattice_program(self, commuting: Commuting = add_commuting_edges) -> pyo.ConcreteModel:
        r"""Return (P0) on the lattice of Lemma 1, m_i ∈ {0, a/2, a}: a mixed-integer linear program.

        It holds every maximiser where cells are equal, φ = 1, there is no excess land and f is
        strictly convex along the distributions of firms; `agora.methods.city.lattice_city` checks.
        The objective is the potential in units of a²/8 numéraire.
        """
        program = self._land_labor(commuting)
        add_lattice_firms(program)
        add_lattice_production(program, self.interaction.jacobian(np.zeros(self.network.number)))
        unit = float(self.network.land[0]) ** 2 / 8
        program.potential = pyo.Objective(
            expr=program.production_potential - program.total_commuting_cost / unit,
            sense=pyo.maximize,
            doc="(f(m) − h(n)) / (a²/8)",
        )
        return program

    def home_first_program(self, commuting: Commuting = add_commuting_pairs) -> pyo.ConcreteModel:
        """Return (C.1): households choose homes in the upper stage, jobs in the lower one."""
        return self._decomposed(commuting, homes_first=True)

    def job_first_program(self, commuting: Commuting = add_commuting_pairs) -> pyo.ConcreteModel:
        """Return (C.7): households choose jobs in the upper stage, homes in the lower one."""
        return self._decomposed(commuting, homes_first=False)

    def best_response_program(
        self, production_level: Sequence[float] | Vector, commuting: Commuting = add_commuting_edges
    ) -> pyo.ConcreteModel:
        r"""Return the linear program of best responses: max Σ A_i m_i − h(n) with A_i given.

        m is an equilibrium distribution iff it solves this program for A = A(m).

        Parameters
        ----------
        production_level : array (I,)
            A_i, numéraire per firm, in the sorted order of the cells.
        """
        program = self._land_labor(commuting)
        levels = land_labor.cell_values(self.network, production_level)
        program.output = pyo.Objective(
            expr=pyo.quicksum(levels[cell] * program.firms[cell] for cell in self.network.cells)
            - program.total_commuting_cost,
            sense=pyo.maximize,
            doc="Σ A_i m_i − h(n), A_i given",
        )
        return program

    def supporting_price_program(self, allocation: CityAllocation) -> pyo.ConcreteModel:
        """Return the linear program over all prices that support an allocation: the highest profit.

        Equilibrium rents of purely used cells are intervals; the program picks the highest profit
        π*, hence the lowest rents, that support the allocation (see the formulation).
        """
        program = pyo.ConcreteModel(name="supporting prices")
        land_labor.add_cells(program, self.network)
        add_supporting_prices(
            program, self.network, allocation, self.commuting_cost, self.labor_per_firm,
            self.interaction.level(allocation.firms),
        )  # fmt: skip
        return program

    def complementarity_program(self) -> pyo.ConcreteModel:
        """Return Definition 1 itself, (3.5)–(3.9), as a complementarity program; needs no potential."""
        program = self._firms_and_commuters(add_commuting_edges, "Fujita-Ogawa city: Definition 1")
        add_production(self.spillover, program, self.network)
        add_city_complementarity(program, self.network, self.commuting_cost, self.labor_per_firm)
        return program

    def start_from(self, program: pyo.ConcreteModel, firms: Sequence[float] | Vector) -> None:
        """Start a program at a distribution of firms (I,); lifted production levels follow."""
        masses = np.asarray(firms, dtype=float)
        for variable, mass in zip(program.firms.values(), masses.tolist(), strict=True):
            variable.set_value(mass)
        if isinstance(program.component("production_level"), pyo.Var):
            levels = self.interaction.level(masses).tolist()
            for variable, level in zip(program.production_level.values(), levels, strict=True):
                variable.set_value(level)

    def _firms_and_commuters(self, commuting: Commuting, name: str) -> pyo.ConcreteModel:
        program = pyo.ConcreteModel(name=name)
        land_labor.add_cells(program, self.network)
        land_labor.add_firms(program, self.network, self.firm_mass)
        commuting(program, self.network, self.commuting_cost)
        return program

    def _land_labor(self, commuting: Commuting) -> pyo.ConcreteModel:
        program = self._firms_and_commuters(commuting, "Fujita-Ogawa city")
        land_labor.add_land_limit(program)
        land_labor.add_labor_balance(program, self.labor_per_firm)
        return program

    def _decomposed(self, commuting: Commuting, *, homes_first: bool) -> pyo.ConcreteModel:
        program = self._firms_and_commuters(commuting, "Fujita-Ogawa city: decomposed")
        if homes_first:
            land_labor.add_resident_stock(program)
            land_labor.add_labor_balance(program, self.labor_per_firm)
        else:
            land_labor.add_land_limit(program)
            land_labor.add_job_stock(program, self.labor_per_firm)
        return self._with_potential(program)

    def _with_potential(self, program: pyo.ConcreteModel) -> pyo.ConcreteModel:
        self.check_potential()
        add_production(self.spillover, program, self.network)
        program.potential = pyo.Objective(
            expr=program.production_potential - program.total_commuting_cost,
            sense=pyo.maximize,
            doc="f(m) − h(n)",
        )
        return program

    # --- reading -------------------------------------------------------------------------------

    def read(self, program: pyo.ConcreteModel) -> dict[str, pd.DataFrame]:
        """Return the tables of a solved program: ``cells``, ``commuting``, ``totals``."""
        return self.tables(read_city(program, self.network, self.commuting_cost, self.labor_per_firm))

    def tables(self, allocation: CityAllocation) -> dict[str, pd.DataFrame]:
        """Return the tables of an allocation with its prices."""
        level = self.interaction.level(allocation.firms)
        potential = self.interaction.potential(allocation.firms) if self.has_potential else np.nan
        return city_tables(allocation, self.network, self.labor_per_firm, level, potential)

    def conditions(self, tables: Tables, tolerance: float = 1e-6) -> tuple[Condition, ...]:
        """Evaluate Definition 1, (3.5)–(3.9), from the tables alone."""
        return city_conditions(self, tables, tolerance)

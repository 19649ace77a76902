"""Kernels, potentials, and the tests of symmetry and definiteness."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

import networkx as nx
import numpy as np
import pyomo.environ as pyo
import pytest
from makers import complaint

from agora.data import (
    ExponentialDecay,
    InputError,
    InteractionMatrix,
    ProductionFunction,
    WithinCellPower,
    circle,
    grid,
    segment,
    star,
    two_cell,
)
from agora.data.city import Externality
from agora.data.geographies import CellNetwork, cell_network
from agora.formulations.city.spillovers import (
    Interaction,
    add_production,
    add_production_function,
    exponential_kernel,
    interaction,
    smallest_tangent_eigenvalue,
)
from agora.methods.city.efficiency import degree
from agora.models import FujitaOgawa
from agora.models.city.conditions import production_level
from agora.runners import solve


def bipartite(n: int, m: int) -> nx.Graph:
    graph = nx.complete_bipartite_graph(n, m)
    nx.set_edge_attributes(graph, 1.0, "length")
    nx.set_node_attributes(graph, 1 / (n + m), "land")
    return graph


@pytest.mark.parametrize(
    ("parts", "decay", "eigenvalue"),
    [((2, 3), 0.1, -0.0253867), ((2, 3), 0.3, -0.0096274), ((3, 3), 0.3, -0.1248314)],
)
def test_footnote_19_fails_on_complete_bipartite_graphs(
    parts: tuple[int, int], decay: float, eigenvalue: float
) -> None:
    # spec/fujita-ogawa.md, "Upper stage": the footnote's proof of Assumption 1 (i) is invalid
    kernel = exponential_kernel(cell_network(bipartite(*parts)).distances, decay)
    assert smallest_tangent_eigenvalue(kernel) == pytest.approx(eigenvalue, abs=5e-8)


@pytest.mark.parametrize("graph", [segment(7), star(6), circle(8), circle(9), grid(3, 4)])
@pytest.mark.parametrize("decay", [0.1, 1.0, 10.0])
def test_paths_trees_cycles_and_grids_are_positive_definite(graph: nx.Graph, decay: float) -> None:
    kernel = exponential_kernel(cell_network(graph).distances, decay)
    assert smallest_tangent_eigenvalue(kernel) > 0


def test_tangent_eigenvalue_of_a_known_matrix() -> None:
    # on two cells the tangent space is spanned by (1, −1)/√2: eigenvalue d11 − d12
    assert smallest_tangent_eigenvalue(np.array([[1.0, 0.25], [0.25, 1.0]])) == pytest.approx(0.75, abs=1e-14)


QUADRATIC = ProductionFunction(function=lambda m: [m[0] ** 2 + 0.5 * m[1], 0.5 * m[0] + m[1] ** 3])
ALL = [
    ExponentialDecay(decay=2.0),
    WithinCellPower(exponent=0.5),
    InteractionMatrix(values=((1.0, 0.3), (0.3, 2.0))),
    QUADRATIC,
]


@pytest.mark.parametrize("externality", ALL, ids=lambda e: e.kind)
def test_level_is_the_gradient_of_the_potential(externality: object) -> None:
    # (3.11): ∇f = A, by central differences
    numbers = interaction(externality, cell_network(two_cell()))
    m = np.array([0.2, 0.3])
    for cell in range(2):
        step = np.eye(2)[cell] * 1e-6
        slope = (numbers.potential(m + step) - numbers.potential(m - step)) / 2e-6
        assert slope == pytest.approx(numbers.level(m)[cell], abs=1e-8)
        column = (numbers.level(m + step) - numbers.level(m - step)) / 2e-6
        assert column == pytest.approx(numbers.jacobian(m)[:, cell], abs=1e-7)


@pytest.mark.parametrize("externality", ALL, ids=lambda e: e.kind)
def test_the_program_holds_the_same_numbers(externality: object) -> None:
    city = FujitaOgawa(
        geography=two_cell(), commuting_cost=0.1, externality=externality, firm_mass=0.5, labor_per_firm=1.0
    )
    program = city.program()
    m = np.array([0.2, 0.3])
    level = city.interaction.level(m)
    for cell in range(2):
        program.firms[cell].set_value(float(m[cell]))
        if program.find_component("production_balance") is not None:
            program.production_level[cell].set_value(float(level[cell]))
    for cell in range(2):
        assert pyo.value(program.production_level[cell]) == pytest.approx(level[cell], abs=1e-14)
        if program.find_component("production_balance") is not None:
            assert pyo.value(program.production_balance[cell].body) == pytest.approx(0.0, abs=1e-14)
    assert pyo.value(program.production_potential) == pytest.approx(city.interaction.potential(m), abs=1e-14)


def test_a_users_own_potential_is_used() -> None:
    mine = ProductionFunction(
        function=lambda m: [m[0], m[1]], potential=lambda m: 7.0 + 0.5 * (m[0] ** 2 + m[1] ** 2)
    )
    assert interaction(mine, cell_network(two_cell())).potential(np.zeros(2)) == 7.0


def test_asymmetry_is_named_and_points_to_complementarity() -> None:
    city = FujitaOgawa(
        geography=two_cell(),
        commuting_cost=0.1,
        externality=InteractionMatrix(values=((1.0, 0.3), (0.1, 1.0))),
        firm_mass=0.5,
        labor_per_firm=1.0,
    )
    with pytest.raises(InputError, match=r"\(0\.3, 0\.1\).*no potential exists.*'complementarity'"):
        city.program()
    city.welfare_program()
    city.complementarity_program()


def test_asymmetry_of_a_nonlinear_function_is_found() -> None:
    skew = ProductionFunction(function=lambda m: [m[0] * m[1], m[1] + m[0]])
    city = FujitaOgawa(
        geography=two_cell(), commuting_cost=0.1, externality=skew, firm_mass=0.5, labor_per_firm=1.0
    )
    with pytest.raises(InputError, match="no potential exists"):
        city.program()


class _Crowding(Externality):
    """Firms of the same cell, with falling gains: A_i = m_i − m_i² / 2; an externality of a user's own."""

    kind: Literal["crowding"] = "crowding"

    @property
    def degree(self) -> None:
        return None

    @property
    def is_linear(self) -> bool:
        return False

    def is_symmetric(self, network: CellNetwork) -> bool:
        return True


CROWDED = FujitaOgawa(
    geography=two_cell(), commuting_cost=0.1, externality=_Crowding(), firm_mass=0.5, labor_per_firm=1.0
)


def test_an_externality_of_a_users_own_says_its_facts() -> None:
    class Silent(_Crowding):
        @property
        @abstractmethod
        def degree(self) -> float | None:
            """The degree."""

    class Mute(Externality):
        kind: Literal["mute"] = "mute"

    assert complaint(Silent) == "Silent.degree is missing, but must be stated by the class: The degree."
    assert complaint(Mute).startswith(
        "Mute.degree is missing, but must be stated by the class: The degree k of homogeneity"
    )
    assert "degree of homogeneity is known" in complaint(degree, CROWDED)
    assert "known to add_production" in complaint(CROWDED.program)
    assert "known to interaction" in complaint(lambda: CROWDED.interaction)


def test_an_externality_of_a_users_own_is_solved() -> None:
    same = ProductionFunction(function=lambda m: [mass - mass**2 / 2 for mass in m])

    @add_production.register
    def _(externality: _Crowding, block: pyo.Block, network: CellNetwork) -> None:
        add_production_function(block, same)

    @interaction.register
    def _(externality: _Crowding, network: CellNetwork) -> Interaction:
        return interaction(same, network)

    @production_level.register
    def _(externality: _Crowding, firms: np.ndarray, network: CellNetwork) -> np.ndarray:
        return firms - firms**2 / 2

    mine, known = (solve(CROWDED.model_copy(update={"externality": e})) for e in (_Crowding(), same))
    assert mine.certificate.passed
    assert mine.objective == pytest.approx(known.objective, abs=1e-9)


@pytest.mark.parametrize("externality", ALL, ids=lambda e: e.kind)
def test_the_facts_of_an_externality_are_true(externality: Externality) -> None:
    network = cell_network(two_cell())
    numbers, m = interaction(externality, network), np.array([0.2, 0.3])
    slope = numbers.jacobian(m)
    if externality.degree is not None:
        assert numbers.level(2 * m) == pytest.approx(2**externality.degree * numbers.level(m))
    if externality.is_linear:
        assert slope == pytest.approx(numbers.jacobian(3 * m))
    if externality.is_symmetric(network):
        assert slope == pytest.approx(slope.T)


def test_symmetry_depends_on_one_way_links() -> None:
    one_way = nx.DiGraph([(0, 1), (1, 2), (2, 0)])
    nx.set_edge_attributes(one_way, 1.0, "length")
    nx.set_node_attributes(one_way, 1.0, "land")
    exponential, matrix = ExponentialDecay(decay=1.0), InteractionMatrix(values=((1.0, 0.3), (0.1, 1.0)))
    assert exponential.is_symmetric(cell_network(circle(3))) is True
    assert exponential.is_symmetric(cell_network(one_way)) is None
    assert matrix.is_symmetric(cell_network(two_cell())) is False

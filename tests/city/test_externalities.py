"""Kernels, potentials, and the tests of symmetry and definiteness."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pyomo.environ as pyo
import pytest

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
from agora.data.geographies import cell_network
from agora.formulations.city.spillovers import (
    exponential_kernel,
    interaction,
    smallest_tangent_eigenvalue,
)
from agora.models import FujitaOgawa


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

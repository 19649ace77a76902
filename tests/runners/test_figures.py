"""Figures: what is drawn, what is written beside it, files that repeat, and what is refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from makers import as_svg, city
from matplotlib._pylab_helpers import Gcf
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, StepPatch
from matplotlib.text import Text

import agora
from agora.data import InputError, circle, grid, read_geography, segment, star, torus, two_cell
from agora.data.geographies import cell_network, positions
from agora.models import CommutingMarket, FujitaOgawa, Solution
from agora.runners import solve
from agora.runners.figures import style
from agora.runners.figures.city import city as cities
from agora.runners.figures.city.city import draw_city, draw_geography
from agora.runners.figures.pictures import pictures, save

NAMES = ("Harbour", "Market", "Old town", "Park", "Quarry", "Riverside", "Station", "University")
RANDSTAD = Path(agora.__file__).parent / "data" / "shipped" / "networks" / "randstad.csv"


def solved(graph: nx.Graph, t: float = 0.05, tau: float = 6.0, firm_mass: float = 0.5) -> Solution:
    return solve(city(graph, t, tau, firm_mass), starts=3)


def drawing(solution: Solution) -> Figure:
    assert isinstance(solution.model, FujitaOgawa)
    return draw_city(solution.model, solution.tables)


@pytest.fixture(scope="module")
def monocentric() -> Solution:
    return solved(circle(8))


@pytest.fixture
def curves(monkeypatch: pytest.MonkeyPatch) -> list[tuple[np.ndarray, float]]:
    """Take down every arrow that is drawn: its three control points and its flow."""
    noted: list[tuple[np.ndarray, float]] = []
    draw = style.add_arrows

    def note(axes: Axes, paths: Sequence[np.ndarray], flows: Sequence[float], *widest: float) -> None:
        noted.extend(zip(paths, flows, strict=True))
        draw(axes, paths, flows, *widest)

    monkeypatch.setattr(style, "add_arrows", note)
    return noted


def every(figure: Figure, kind: type[Any]) -> list[Any]:
    return list(figure.findobj(kind))


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in every(figure, Text) if text.get_text()]


def labels(figure: Figure) -> set[str]:
    """Return the labels of all axes that are shown."""
    shown = [axes for axes in every(figure, Axes) if axes.axison]
    return {label for axes in shown for label in (axes.get_xlabel(), axes.get_ylabel())} - {""}


def travelling(solution: Solution) -> pd.DataFrame:
    return solution.tables["commuting"].query("origin != destination")


def areas(figure: Figure, colour: str) -> list[float]:
    """Return the areas of a ring's or row's pieces in one colour (shoelace formula)."""
    found = []
    for collection in every(figure, Axes)[0].collections:
        faces = collection.get_facecolor()
        if isinstance(collection, PolyCollection) and len(faces) and to_hex(faces[0]) == colour.lower():
            for path in collection.get_paths():
                x, y = np.asarray(path.vertices).T
                found.append(abs(float(x[:-1] @ y[1:] - y[:-1] @ x[1:])) / 2)
    return found


# --- cities ----------------------------------------------------------------------------------------


def test_a_circle_has_one_arrow_for_every_pair_that_commutes(
    monocentric: Solution, curves: list[tuple[np.ndarray, float]]
) -> None:
    figure = drawing(monocentric)
    pairs = travelling(monocentric)
    assert len(every(figure, FancyArrowPatch)) == len(curves) == len(pairs) == 4
    assert [flow for _, flow in curves] == pairs["flow"].tolist()
    for (curve, _), home, work in zip(curves, pairs["origin"], pairs["destination"], strict=True):
        for cell, (x, y) in ((home, curve[0]), (work, curve[-1])):
            assert np.arctan2(y, x) % (2 * np.pi) == pytest.approx(2 * np.pi * cell / 8)


def test_a_map_has_one_arrow_for_every_pair_that_commutes(curves: list[tuple[np.ndarray, float]]) -> None:
    solution = solved(grid(3, 3), t=0.02)
    pairs, points = travelling(solution), positions(grid(3, 3))
    figure = drawing(solution)
    assert len(every(figure, FancyArrowPatch)) == len(curves) == len(pairs) > 0
    for (curve, _), home, work in zip(curves, pairs["origin"], pairs["destination"], strict=True):
        nearest = [int(np.argmin(np.hypot(*(points - end).T))) for end in (curve[0], curve[-1])]
        assert nearest == [home, work]


def test_areas_are_land() -> None:
    solution = solved(circle(8, land=[0.1, 0.2, 0.1, 0.15, 0.2, 0.1, 0.05, 0.1]), firm_mass=0.3)
    cells, figure = solution.tables["cells"], drawing(solution)
    firms, homes = sum(areas(figure, style.FIRMS)), sum(areas(figure, style.HOUSEHOLDS))
    assert firms / homes == pytest.approx(cells["firms"].sum() / cells["residents"].sum(), rel=1e-3)
    assert sum(areas(figure, style.VACANT)) / firms == pytest.approx(0.4 / 0.3, rel=2e-2)
    assert {"vacant land", "firms", "households"} <= set(words(figure))


@pytest.mark.parametrize("graph", [circle(8), segment(5), two_cell(land=(0.6, 0.4)), circle(2)])
def test_a_profile_shows_rents_and_wages_with_units(graph: nx.Graph) -> None:
    solution = solved(graph)
    cells, figure = solution.tables["cells"], drawing(solution)
    shape = "circle" if graph.graph["kind"] == "circle" else "line"
    assert labels(figure) == {f"cell, in the order of the {shape}", "numéraire"}
    assert {"land rent, per unit of land", "wage, per worker"} <= set(words(figure))
    rent, wage = every(figure, StepPatch)
    assert rent.get_data().values == pytest.approx(cells["rent"].to_numpy())
    assert wage.get_data().values == pytest.approx(cells["wage"].to_numpy())


def test_a_title_has_the_parameters_and_a_caption_the_totals(monocentric: Solution) -> None:
    figure = drawing(monocentric)
    assert figure.get_suptitle() == "Fujita–Ogawa city: 8 cells\nt = 0.05, decay τ = 6, M = 0.5, φ = 1"
    totals = monocentric.tables["totals"].iloc[0]
    cost, potential = totals["total_commuting_cost"], totals["potential"]
    assert figure.get_supxlabel() == f"total commuting cost {cost:.4g}, potential {potential:.4g} (numéraire)"


def test_without_a_potential_none_is_written(monocentric: Solution) -> None:
    other = FujitaOgawa(
        geography=circle(8),
        commuting_cost=0.05,
        externality={"kind": "power", "exponent": 0.5},
        firm_mass=0.5,
        labor_per_firm=1.0,
    )
    totals = monocentric.tables["totals"].assign(potential=float("nan"))
    figure = draw_city(other, {**monocentric.tables, "totals": totals})
    assert "power externality" in figure.get_suptitle()
    assert "potential" not in figure.get_supxlabel()


def test_a_map_of_rents_has_a_colour_bar_with_its_unit() -> None:
    figure = drawing(solved(grid(3, 3)))
    assert labels(figure) == {"land rent (numéraire per unit of land)"}


@pytest.mark.parametrize("graph", [grid(3, 3), torus(3, 3), star(4), segment(8), circle(8)])
def test_net_flows_on_links_balance_and_cost_what_commuting_costs(
    graph: nx.Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cities, "MOST_ARROWS", 0)
    solution = solved(graph, t=0.02)
    assert isinstance(solution.model, FujitaOgawa)
    flow = cities._City(solution.model, solution.tables).link_flow
    assert flow
    gain = np.zeros(len(graph))
    for (tail, head), mass in flow.items():
        gain[tail], gain[head] = gain[tail] - mass, gain[head] + mass
    cells = solution.tables["cells"]
    assert gain == pytest.approx((cells["employment"] - cells["residents"]).to_numpy(), abs=1e-9)
    cost = sum(0.02 * graph.edges[link]["length"] * mass for link, mass in flow.items())
    assert cost == pytest.approx(solution.tables["totals"].iloc[0]["total_commuting_cost"])
    figure = drawing(solution)
    assert not every(figure, FancyArrowPatch)
    assert f"net commuters, widest {max(flow.values()):.3g}" in words(figure)
    if graph.graph["kind"] in ("segment", "circle"):
        assert len(areas(figure, style.FLOWS)) == len(flow)


@pytest.mark.parametrize(
    ("graph", "names"),
    [
        (circle(8), list(NAMES)),
        (circle(6), [(k // 2, "east" if k % 2 else "west") for k in range(6)]),
        (grid(2, 3), [divmod(k, 3) for k in range(6)]),
    ],
)
def test_names_may_be_words_and_tuples(graph: nx.Graph, names: list[Any]) -> None:
    solution = solved(nx.relabel_nodes(graph, dict(enumerate(names))), t=0.02)
    figure = drawing(solution)
    assert {str(name) for name in names} <= set(words(figure))
    assert len(every(figure, FancyArrowPatch)) == len(travelling(solution))


def test_a_graph_that_only_says_it_is_a_circle_is_a_map() -> None:
    graph = segment(5)
    graph.graph["kind"] = "circle"
    assert "land rent (numéraire per unit of land)" in labels(drawing(solved(graph)))


def test_tables_of_another_geography_are_refused(monocentric: Solution) -> None:
    with pytest.raises(InputError, match="this model's cells"):
        draw_city(city(circle(7), 0.05, 6.0), monocentric.tables)


def test_pictures_may_be_sent_to_another_process(monocentric: Solution) -> None:
    (name, draw), *_ = pictures(monocentric.model, monocentric.tables).items()
    assert name == "city"
    sent: Callable[[], Figure] = pickle.loads(pickle.dumps(draw))
    assert words(sent()) == words(draw())
    assert pictures(object(), {}) == {}


# --- any geography ---------------------------------------------------------------------------------


def discs(figure: Figure) -> EllipseCollection:
    (collection,) = every(figure, EllipseCollection)
    assert isinstance(collection, EllipseCollection)
    return collection


def test_every_cell_and_every_link_is_drawn() -> None:
    figure = draw_geography(grid(3, 4))
    assert discs(figure).get_offsets() == pytest.approx(positions(grid(3, 4)))
    assert len(every(figure, LineCollection)[0].get_segments()) == grid(3, 4).number_of_edges()


def test_the_area_of_a_disc_is_its_land() -> None:
    widths = discs(draw_geography(star(3, land=[1.0, 4.0, 2.0, 0.5]))).get_widths()
    assert widths**2 / widths[0] ** 2 == pytest.approx([1.0, 4.0, 2.0, 0.5])


def test_discs_of_a_lattice_do_not_touch() -> None:
    for graph in (grid(2, 2), grid(7, 7), torus(5, 5)):
        widths, points = discs(draw_geography(graph)).get_widths(), positions(graph)
        assert widths.max() < np.hypot(*(points[0] - points[1]))


def test_links_round_a_torus_are_stubs() -> None:
    (links,) = every(draw_geography(torus(4, 4)), LineCollection)
    lengths = [float(np.hypot(*(end - start))) for start, end in links.get_segments()]
    assert len(lengths) == 24 + 2 * 8
    assert max(lengths) == pytest.approx(0.25)


def test_values_may_be_a_mapping_or_an_array_in_any_order() -> None:
    graph = nx.relabel_nodes(star(3), {0: "b", 1: "a", 2: "d", 3: "c"})
    label = "height (metres)"
    by_name = draw_geography(graph, {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}, label=label, title="Heights")
    by_order = draw_geography(graph, [1.0, 2.0, 3.0, 4.0], label=label)
    by_cells = draw_geography(graph, np.array([4.0, 3.0, 2.0, 1.0]), cells=["d", "c", "b", "a"], label=label)
    for figure in (by_name, by_order, by_cells):
        assert np.asarray(discs(figure).get_array()).tolist() == [1.0, 2.0, 3.0, 4.0]
        assert labels(figure) == {label}
        assert {"a", "b", "c", "d"} <= set(words(figure))
    assert by_name.get_suptitle() == "Heights"


def test_tuples_are_known_by_their_text_too() -> None:
    graph = nx.relabel_nodes(grid(2, 2), {k: divmod(k, 2) for k in range(4)})
    values = [4.0, 3.0, 2.0, 1.0]
    figure = draw_geography(graph, values, cells=[str(cell) for cell in cell_network(graph).cells])
    assert np.asarray(discs(figure).get_array()).tolist() == values


def test_cells_without_a_value_are_grey() -> None:
    figure = draw_geography(star(3), {0: 1.0, 1: float("nan"), 2: 3.0})
    figure.draw_without_rendering()
    faces = [to_hex(colour) for colour in discs(figure).get_facecolor()]
    assert faces[1] == faces[3] == style.NO_VALUE.lower()
    assert style.NO_VALUE.lower() not in (faces[0], faces[2])


def test_a_constant_is_drawn() -> None:
    assert discs(draw_geography(star(3), [2.0] * 4)).get_clim() == pytest.approx((1.8, 2.2))
    assert discs(draw_geography(star(3), [0.0] * 4)).get_clim() == pytest.approx((-1.0, 1.0))


def test_words_get_a_legend_and_land_uses_their_colours() -> None:
    figure = draw_geography(star(3), ["business", "residential", "business", None], label="land use")
    assert {"land use", "business", "residential", "no value"} <= set(words(figure))
    faces = [to_hex(colour) for colour in discs(figure).get_facecolor()]
    expected = [style.FIRMS, style.HOUSEHOLDS, style.FIRMS, style.NO_VALUE]
    assert faces == [colour.lower() for colour in expected]


def test_of_many_words_the_rarest_are_one() -> None:
    kinds = [f"kind {k}" for k in range(11)]
    figure = draw_geography(grid(4, 5), kinds + kinds[:9])
    assert {"kind 0", "kind 6", "4 others"} <= set(words(figure))
    assert "kind 10" not in words(figure)
    assert len({to_hex(colour) for colour in discs(figure).get_facecolor()}) == 8


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([1.0, 2.0], "number of values is 2, but must be 4, one for each cell."),
        (3.0, "number of values is 1, but must be 4, one for each cell."),
        ({"nowhere": 1.0}, "values is 'nowhere', but must be given for cells of the geography only."),
        ({0: [1.0]}, "values is .*, but must be numbers or words."),
    ],
)
def test_values_that_do_not_fit_are_refused(values: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        draw_geography(star(3), values)


def test_many_cells() -> None:
    figure = draw_geography(grid(50, 50), np.arange(2500.0), label="number (dimensionless)")
    assert len(discs(figure).get_offsets()) == 2500 > style.MOST_VECTORS
    assert discs(figure).get_rasterized()


# --- reading and saving ----------------------------------------------------------------------------


def test_names_on_a_map_are_all_there_and_do_not_overlap() -> None:
    graph = read_geography(RANDSTAD)
    figure = draw_geography(graph, np.arange(len(graph)), label="rank (dimensionless)")
    names = [text for text in every(figure, Text) if text.get_text() in graph]
    assert len(names) == len(graph) == 29
    boxes = [text.get_window_extent() for text in names]
    for k, box in enumerate(boxes):
        shared = [Text.get_text(names[j]) for j in range(k) if box.overlaps(boxes[j])]
        assert not shared, names[k].get_text()


@pytest.mark.parametrize(
    "graph",
    [
        two_cell(land=(0.6, 0.4)),
        circle(3),
        nx.relabel_nodes(circle(8), dict(enumerate(NAMES))),
        circle(48),
        nx.relabel_nodes(grid(2, 4), dict(enumerate(NAMES))),
    ],
)
def test_nothing_written_is_cut_off_or_tiny(graph: nx.Graph) -> None:
    figure = drawing(solved(graph))
    figure.draw_without_rendering()
    titles = [text for text in figure.texts if text.get_text()]
    boxes = [text.get_window_extent() for text in titles]
    boxes += [axes.get_tightbbox() for axes in every(figure, Axes)]
    assert len(titles) == 2
    for box in boxes:
        assert min(box.x0, box.y0) >= -1
        assert box.x1 <= figure.bbox.x1 + 1
        assert box.y1 <= figure.bbox.y1 + 1
    assert not boxes[0].overlaps(boxes[1])
    assert min(text.get_fontsize() for text in every(figure, Text) if text.get_text()) >= style.SMALL


@pytest.mark.parametrize("graph", [circle(3), pytest.param(star(4), marks=pytest.mark.heavy)])
def test_saving_twice_gives_the_same_bytes(graph: nx.Graph, tmp_path: Path) -> None:
    solution = solved(graph, t=0.02)
    figure = drawing(solution)
    first, picture = save(figure, tmp_path / "first", "city")
    assert first.read_bytes() == as_svg(figure) == as_svg(drawing(solution))
    assert b"<dc:date>" not in first.read_bytes()
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in (tmp_path / "first").iterdir()} == {"city.svg", "city.png"}


def test_the_readers_own_settings_stay_and_do_not_matter(tmp_path: Path, monocentric: Solution) -> None:
    plain = as_svg(drawing(monocentric))
    with mpl.rc_context({"font.size": 30.0, "axes.facecolor": "black", "svg.hashsalt": "another"}):
        other, _ = save(drawing(monocentric), tmp_path, "other")
        assert mpl.rcParams["font.size"] == 30.0
        assert mpl.rcParams["svg.hashsalt"] == "another"
    assert plain == other.read_bytes()


def test_matplotlib_is_loaded_when_something_is_drawn_and_pyplot_knows_of_nothing() -> None:
    for module in (cities, style):
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        loaded = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
        assert loaded
        assert not [line for line in loaded if "matplotlib" in line]
        assert "pyplot" not in source
    draw_geography(star(3), [1, 2, 3, 4])
    assert not Gcf.figs


def test_a_commuting_market_shows_its_rents() -> None:
    market = CommutingMarket(
        geography=grid(2, 2), commuting_cost=0.1, firms=[0.25, 0.25, 0.0, 0.0], labor_per_firm=1.0
    )
    figure = solve(market).pictures["rents"]()
    assert any("numéraire per unit of land" in axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes)

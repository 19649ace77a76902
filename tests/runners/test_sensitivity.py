"""Derivatives of whole answers, against differences of full solves; where there are none; ranges."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import agora
from makers import FOUR_SITES, city, complaint

from agora.data import circle, segment, two_cell
from agora.data.checks import InputError
from agora.data.scenarios import read_scenario
from agora.methods.method import Answer, Method, Options, Progress, Proof, register, solve_as_stated
from agora.models import (
    CoalitionTest,
    CommutingMarket,
    FujitaOgawa,
    InvisibleHand,
    Marketplaces,
    Model,
    MyopicMigration,
    ShortRunCompetition,
    SpatialGame,
    SpatialTrade,
)
from agora.models.price_formation.price_formation import PriceFormation
from agora.runners import solve
from agora.runners.solving import model_from
from agora.runners.studies.parameters import parameter, scenario_parameter
from agora.runners.studies.sensitivity.optimality import NoOptimum
from agora.runners.studies.sensitivity.readings import flatten
from agora.runners.studies.sensitivity.sensitivity import Sensitivity, sensitivity
from agora.solvers.reuse import Workbench, working_at

ROOT = Path(__file__).resolve().parents[2]
ONE_MARKET: dict[str, Any] = {**FOUR_SITES, "setup_cost": 0.2, "marketplaces": 1}
COALITION: dict[str, Any] = {
    "types": [
        {
            "name": "all",
            "mass": 1.0,
            "taste": {"kind": "cobb-douglas", "commodities": [0.25, 0.25], "leisure": 0.25, "land": 0.25},
            "utility": 0.6,
        }
    ],
    "sites": [0.0, 0.4, 1.0],
    "makes": [1, 1, 2],
    "setup": {"kind": "composite", "amount": 0.1, "shares": [0.5, 0.5]},
    "region": (0.0, 1.0),
}


def by_solves(model: Model, path: str, options: Mapping[str, Any], step: float) -> pd.Series:
    """Return derivatives by fourth-order differences of full solves."""
    each = parameter(model, path)
    total: pd.Series | None = None
    for offset, weight in ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12)):
        moved = each.at(each.value + offset * step)
        part = flatten(solve(moved, **options).tables, moved.tables_spec) * (weight / step)
        total = part if total is None else total + part
    assert total is not None
    return total


def rows(found: Sensitivity, path: str) -> pd.DataFrame:
    """Return the rows of a parameter by (table, place, quantity)."""
    part = found.table[found.table["parameter"] == path]
    return part.set_index(["table", "place", "quantity"])


def agree(
    model: Model, paths: Sequence[str], tolerance: float, step: float = 1e-3, **options: Any
) -> Sensitivity:
    """Check every derivative that exists against full solves, and return all of them."""
    found = sensitivity(model, paths, options=options, verify=False)
    for path in paths:
        part = rows(found, path)
        sure = part[part["exists"] == "yes"]["derivative"]
        assert len(sure) > 5
        assert (sure != 0).any()
        with working_at(Workbench()):  # the solves share their derivatives
            differences = by_solves(model, path, options, step * abs(parameter(model, path).value))
        gap = (sure - differences.reindex(sure.index)).abs() / np.maximum(sure.abs(), 0.1)
        assert gap.max() < tolerance, (path, gap.idxmax())
    return found


# --- against full solves --------------------------------------------------------------------------


@pytest.mark.heavy  # the contract has it by default
def test_marketplaces_free_to_move() -> None:
    found = agree(Marketplaces(**ONE_MARKET), ["commodity_shares.0"], 2e-3, step=0.02)
    location = rows(found, "commodity_shares.0").loc[("marketplaces", "", "location"), "derivative"]
    assert location == pytest.approx(-3.2191, abs=1e-3)  # towards those who make what is wanted less


@pytest.mark.heavy
def test_marketplaces_free_to_move_in_every_parameter() -> None:
    paths = ["setup_cost", "sites.1", "commodity_shares.0", "setup_shares.1"]
    found = agree(Marketplaces(**ONE_MARKET), paths, 2e-3, step=0.02)
    assert set(found.table["exists"]) == {"yes"}


def test_marketplaces_at_sites_stay() -> None:
    economy = Marketplaces(**{**FOUR_SITES, "marketplaces": 2})
    found = agree(economy, ["setup_cost", "time"], 1e-4, step=0.01)
    assert set(found.table["exists"]) == {"yes"}
    moves = rows(found, "setup_cost").xs("location", level="quantity")["derivative"]
    assert (moves == 0).all()


@pytest.mark.heavy
def test_given_marketplaces_and_ces() -> None:
    given = {**FOUR_SITES, "marketplaces": [0.2, 0.8]}
    agree(Marketplaces(**given), ["marketplaces.0", "land_share"], 1e-5, step=1e-3)
    agree(Marketplaces(**given, substitution=2.0), ["setup_cost", "substitution"], 1e-4, step=1e-2)


@pytest.mark.parametrize(
    "paths",
    [
        ["firm_mass", "geography.length.0.1"],
        pytest.param(["commuting_cost", "decay", "labor_per_firm"], marks=pytest.mark.heavy),
    ],
)
def test_the_city_with_spare_land(paths: list[str]) -> None:
    town = FujitaOgawa(
        geography=segment(4, spacing=0.25, land=[0.3, 0.32, 0.25, 0.28]),
        commuting_cost=0.05, decay=2.0, firm_mass=0.4, labor_per_firm=1.2,
    )  # fmt: skip
    agree(town, paths, 1e-6, starts=2)


def test_commuting() -> None:
    market = CommutingMarket(
        geography=segment(4, spacing=0.25, land=[0.3, 0.2, 0.25, 0.28]),
        commuting_cost=0.1, labor_per_firm=1.5, firms=(0.25, 0.02, 0.1, 0.0),
    )  # fmt: skip
    agree(market, ["commuting_cost", "firms.0", "labor_per_firm", "geography.land.3"], 1e-7)


@pytest.mark.heavy  # the contract has the first by default
@pytest.mark.parametrize("path", ["setup.amount", "types.0.taste.leisure"])
def test_a_coalition(path: str) -> None:
    agree(CoalitionTest.model_validate(COALITION), [path], 1e-4)


@pytest.mark.parametrize("terminal", ["quadratic", pytest.param("double-well", marks=pytest.mark.heavy)])
def test_price_formation(terminal: str) -> None:
    cost = {"quadratic": {"target": 0.5}, "double-well": {"wells": [0.25, 0.75]}}[terminal]
    market = PriceFormation.model_validate(
        {
            "horizon": 1.0,
            "steps": 6,
            "agents": {"kind": "linspace", "from": 0.0, "to": 1.0, "number": 4},
            "supply": {"kind": "sine", "frequency": 10.0},
            "terminal": {"kind": terminal, "weight": 4.0, **cost},
        }
    )
    found = agree(market, ["control_cost", "terminal.weight", "horizon"], 1e-5)
    assert set(found.table["exists"]) == {"yes"}
    assert len(rows(found, "horizon").loc["paths"]) >= 4 * 6  # each moment of each agent


def hand(**changes: Any) -> InvisibleHand:
    given = {
        "geography": segment(5), "firm_share": 0.35, "substitution": 2.0, "moving_cost": 0.8,
        "productivity": {"kind": "sine", "amplitude": 0.5}, "horizon": 0.025, "step": 0.01,
        "initial": {"kind": "bump", "at": 0.15, "width": 0.1, "floor": 0.05},
    }  # fmt: skip
    return InvisibleHand.model_validate(given | changes)


@pytest.mark.parametrize(
    "changes", [{}, pytest.param({"noise": 0.01, "numeraire": "labor"}, marks=pytest.mark.heavy)]
)
def test_a_path_of_the_invisible_hand(changes: dict[str, Any]) -> None:
    """Step after step, with a last step that is shorter; what a step begins with moves too."""
    paths = ["moving_cost", "initial.at", "horizon"]
    if changes:
        paths += ["firm_share", "productivity.amplitude", "step"]
    found = agree(hand(**changes), paths, 2e-6, step=1e-3)
    last = found.table[(found.table["table"] == "aggregate") & (found.table["quantity"] == "consumption")]
    assert len(last) == 4 * len(paths)
    cost = last[last["parameter"] == "moving_cost"]["derivative"].to_numpy()
    assert cost[0] == 0.0
    assert (cost[1:] < 0).all()  # the dearer a move, the slower consumption climbs
    assert np.abs(np.diff(cost[1:])).min() > 0.05 * np.abs(cost[1:]).max()


def test_ranges_of_a_path_end_where_the_first_step_changes_its_regime() -> None:
    found = sensitivity(hand(), ["moving_cost", "initial.at"])
    ends = found.ranges.set_index(["parameter", "end"])
    assert ends.loc[("moving_cost", "from"), "value"] == pytest.approx(0.0, abs=1e-9)
    assert ends.loc[("moving_cost", "from"), "how"] == "end of the allowed values"
    assert ends.loc[("initial.at", "to"), "what"].startswith("step ")
    assert ends.loc[("initial.at", "from"), "value"] < 0.15 < ends.loc[("initial.at", "to"), "value"]


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        (hand(horizon="long-run"), {}, "horizon is 'long-run', but must be a number"),
        (hand(), {"step_control": "adaptive"}, "step_control is 'adaptive', but must be fixed"),
        (hand(), {"method": "ode"}, "method is 'ode', but must be minimizing-movement"),
        (
            MyopicMigration(
                elasticity=5.0, trade_cost_rate=0.5, noise=0.01, discount=0.05, moving_cost=250.0,
                horizon=1.0, cells=4, steps=2, initial=[1.2, 1.0, 0.8, 1.0],
            ),
            {},
            "model is 'myopic-migration', but must be one whose answer is the optimum of a program",
        ),
    ],
)  # fmt: skip
def test_paths_that_are_not_differentiated_are_refused_in_a_sentence(
    model: Model, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        sensitivity(model, ["moving_cost"], options=options)


def test_a_path_with_a_kink_is_refused() -> None:
    """With a fixed cost of moving somebody is just at the threshold: no derivative, and the step is named."""
    with pytest.raises(NoOptimum, match="step 1: two regimes meet"):
        sensitivity(hand(initial=[1.0] * 5, productivity=1.0, fixed_cost=0.1), ["moving_cost"])


def test_trade_and_the_short_run() -> None:
    costs = [[1.0, 1.3, 1.8], [1.5, 1.0, 1.2], [1.4, 1.6, 1.0]]
    trade = SpatialTrade(elasticity=5.0, trade_cost=costs, population=[0.5, 0.3, 0.2])
    agree(trade, ["elasticity", "trade_cost.0.1"], 1e-6)
    economy = ShortRunCompetition(
        geography=segment(4), firm_share=0.35, substitution=2.0,
        productivity={"kind": "sine", "amplitude": 0.5}, distribution=[0.4, 0.3, 0.2, 0.1],
    )  # fmt: skip
    agree(economy, ["firm_share"], 1e-6)


@pytest.mark.parametrize("horizon", ["stationary", pytest.param(10.0, marks=pytest.mark.heavy)])
def test_the_game_on_its_branch(horizon: float | str) -> None:
    game = SpatialGame(
        elasticity=5.0, trade_cost_rate=0.5, noise=0.01, discount=0.05, moving_cost=60.0, horizon=horizon,
        cells=6, steps=2, initial={"kind": "cosine", "amplitude": 0.5}, scheme="exponential",
    )  # fmt: skip
    start = "agglomerated" if horizon == "stationary" else "initial"
    found = agree(game, ["moving_cost" if horizon == 10.0 else "trade_cost_rate"], 1e-5, start=start)
    assert "on its branch" in found.note
    if horizon == "stationary":  # a crowd, which the program from its own start does not find
        assert found.solution.tables["concentration"]["hhi"].iloc[0] > 1.02


def test_a_model_of_ones_own_gets_it_for_free(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "write-your-own-model.md").read_text(encoding="utf-8")
    script = tmp_path / "own_model.py"
    script.write_text("\n".join(re.findall(r"```python\n(.*?)```", page, re.S)), encoding="utf-8")
    try:
        country = runpy.run_path(str(script))["country"]
    finally:
        Model.registry.pop("spatial-price-equilibrium", None)
    agree(country, ["trade_cost", "choke_price.2", "supply_slope.0"], 1e-6)


@pytest.mark.heavy
def test_all_sites_of_the_published_economy_at_once() -> None:
    """Comparative statics of everything in q̄, α, γ and the sites' positions."""
    paths = ["setup_cost", "commodity_shares.0", "setup_shares.0", *(f"sites.{j}" for j in range(4))]
    found = sensitivity(Marketplaces(**ONE_MARKET), paths, verify=False)
    assert set(found.table["parameter"]) == set(paths)
    # moving everything alike changes nothing: derivatives in the positions add up to none
    shifts = sum(rows(found, f"sites.{j}")["derivative"] for j in range(4))
    still = shifts.drop(index=["position", "marketplace", "location"], level="quantity")
    assert still.abs().max() < 1e-7
    assert shifts[("marketplaces", "", "location")] == pytest.approx(1.0, abs=1e-7)


# --- where there is no derivative -----------------------------------------------------------------


def test_a_kink_has_two_one_sided_derivatives() -> None:
    economy = Marketplaces(**{**FOUR_SITES, "marketplaces": [0.33, 0.8]})
    found = sensitivity(economy, ["marketplaces.0"], verify=False)
    utility = rows(found, "marketplaces.0").loc[[("totals", "", "utility")]]
    assert utility["exists"].tolist() == ["left", "right"]
    each, step = parameter(economy, "marketplaces.0"), 1e-5
    here = solve(economy).objective
    for sign, side in ((-1, "left"), (1, "right")):
        aside = solve(each.at(each.value + sign * step)).objective
        slope = float(utility[utility["exists"] == side]["derivative"].iloc[0])
        assert slope == pytest.approx(sign * (aside - here) / step, rel=1e-3)
    assert utility["derivative"].iloc[0] > 0 > utility["derivative"].iloc[1]


def test_land_that_is_full_lets_firms_only_become_fewer() -> None:
    town = city(two_cell(land=[0.6, 0.4]), 0.3, 2.0)
    found = sensitivity(town, ["firm_mass"], options={"method": "global"})
    assert set(found.table["exists"]) <= {"left only", "not unique"}
    firms = rows(found, "firm_mass").xs("firms", level="quantity")["derivative"]
    assert firms[("totals", "")] == pytest.approx(1.0)
    potential = rows(found, "firm_mass").loc[("totals", "", "potential")]
    each, step = parameter(town, "firm_mass"), 1e-5
    before, here = (solve(each.at(m), starts=4).objective for m in (0.5 - step, 0.5))
    assert potential["exists"] == "left only"
    assert potential["derivative"] == pytest.approx((here - before) / step, rel=1e-3)
    ends = found.ranges.set_index("end")
    assert ends.loc["to", "value"] == 0.5
    assert ends.loc["to", "how"] == "end of the allowed values"


def test_a_limit_that_is_touched_is_not_crossed() -> None:
    """With fewer firms land is left, and who lives there idle is not unique; what is, moves as it must."""
    town = city(two_cell(land=[0.6, 0.4]), 0.0225, 2.302585092994046)
    part = rows(sensitivity(town, ["M"], options={"method": "global"}, verify=False), "firm_mass")
    assert part.loc[("cells", "1", "residents"), "exists"] == "not unique"
    assert part.loc[("commuting", "1 0", "flow"), "derivative"] == pytest.approx(2.0)
    # g = m²/2 − t (2m − 0.6) with all firms in cell 0
    assert part.loc[("totals", "", "potential"), "derivative"] == pytest.approx(0.5 - 2 * 0.0225)


def test_rents_that_are_intervals_are_said_to_be_not_unique() -> None:
    found = sensitivity(city(circle(8), 0.16, 8.0), ["commuting_cost"], options={"method": "global"})
    part = rows(found, "commuting_cost")
    assert (part.xs("rent", level="quantity")["exists"] == "not unique").any()
    assert part[part["exists"] == "not unique"]["derivative"].isna().all()
    assert (part.xs("firms", level="quantity")["derivative"] == 0).all()
    assert part.loc[("totals", "", "potential"), "derivative"] == pytest.approx(-1 / 16)
    # two centres are a local maximum while t < (1 − δ²)² / 2, and (1 − δ) may grow without end
    ends = found.ranges.set_index("end")
    assert ends.loc["to", "value"] == pytest.approx((1 - np.exp(-2)) ** 2 / 2, rel=1e-6)
    assert ends.loc["to", "how"] == "verified"


def test_an_answer_that_is_no_optimum_of_its_program_is_refused() -> None:
    class Halved(CommutingMarket):
        """Answers with something else than its program's optimum."""

    def halve(model: Halved, chosen: Options, progress: Progress) -> Answer:
        found = solve_as_stated(model, chosen, progress)
        cells = found.tables["cells"].assign(rent=found.tables["cells"]["rent"] + 1.0)
        cells["wage"] += 1.0
        totals = found.tables["totals"].assign(aggregate_rent=float(cells["rent"] @ cells["land"]))
        tables = {**found.tables, "cells": cells, "totals": totals}
        return Answer(found.status, 0.0, tables, Proof("none", "none: it is not what its program says"))

    register(Halved, Method("halved", Options, halve))
    market = Halved(geography=segment(3), commuting_cost=0.1, labor_per_firm=1.0, firms=(0.3, 0.0, 0.0))
    with pytest.raises(NoOptimum, match="not the optimum of one program"):
        sensitivity(market, ["commuting_cost"], options={"tolerance": 1e3})


# --- ranges ---------------------------------------------------------------------------------------


def test_the_range_of_the_two_cell_city_ends_at_the_printed_threshold() -> None:
    delta, mass = 0.1, 0.5
    town = city(two_cell(land=[0.6, 0.4]), 0.1, -np.log(delta), mass)
    ends = sensitivity(town, ["t"], options={"method": "global"}).ranges.set_index("end")
    # Proposition 4: t̂ = 2M(1 − δ)(m̂ − m̄) with m̂ = 1/2, m̄ = 1/4
    assert ends.loc["to", "value"] == pytest.approx(2 * mass * (1 - delta) * 0.25, rel=1e-9)
    assert ends.loc["to", "how"] == "verified"


def test_the_range_of_a_linear_program_is_exact() -> None:
    market = CommutingMarket(
        geography=segment(3, spacing=0.5, land=[0.4, 0.4, 0.4]),
        commuting_cost=0.1, labor_per_firm=1.0, firms=(0.3, 0.05, 0.1),
    )  # fmt: skip
    found = sensitivity(market, ["firms.0"])
    ends = found.ranges.set_index("end")["value"]
    each = parameter(market, "firms.0")
    # cell 0 sends for workers from m = .2 on; the spare .3 of cell 1 is used up at m = .35
    assert ends["from"] == pytest.approx(0.2, abs=1e-9)
    assert ends["to"] == pytest.approx(0.35, abs=1e-9)
    slopes = by_solves(market, "firms.0", {}, 1e-4)
    for value in (ends["from"] + 1e-3, ends["to"] - 1e-3):
        there = by_solves(each.at(value), "firms.0", {}, 1e-4)
        assert there.to_numpy() == pytest.approx(slopes.reindex(there.index).to_numpy(), abs=1e-6)
    wages = [solve(each.at(ends["to"] + side)).tables["cells"]["wage"].iloc[0] for side in (-1e-3, 1e-3)]
    assert wages == pytest.approx([0.05, 0.1])


# --- parameters -----------------------------------------------------------------------------------


def test_parameters_by_their_paths() -> None:
    economy = Marketplaces(**FOUR_SITES)
    assert parameter(economy, "q").name == "setup_cost"
    moved = parameter(economy, "commodity_shares.0").at(0.4)
    assert moved.commodity_shares == pytest.approx((0.4, 0.2))  # type: ignore[attr-defined]
    assert moved.leisure_share == moved.land_share == pytest.approx(0.2)  # type: ignore[attr-defined]
    town = city(circle(4), 0.1, 2.0, firm_mass=0.4)
    assert parameter(town, "geography.land.2").at(0.3).geography.nodes[2]["land"] == 0.3  # type: ignore[attr-defined]
    assert town.geography.nodes[2]["land"] == 0.25


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("setup_cots", "did you mean setup_cost?"),
        ("sites", "such as sites.0, that varies continuously"),
        ("sites.9", "a position from 0 to 3"),
        ("sites.x", "a position from 0 to 3"),
        ("setup_cost.0", "which has nothing inside it"),
        ("makes.0", "a number that varies continuously"),
        ("railway.scale", "a number that varies continuously"),
        ("railway.scales", "did you mean scale?"),
        ("marketplaces", "a number that varies continuously"),
        ("", "one of"),
    ],
)
def test_bad_paths_are_one_sentence(path: str, sentence: str) -> None:
    assert sentence in complaint(parameter, Marketplaces(**FOUR_SITES), path)


def test_bad_paths_of_a_geography() -> None:
    town = city(circle(4), 0.1, 2.0)
    for path in ("geography", "geography.land", "geography.land.9", "geography.length.0.2"):
        assert "geography.land.CELL" in complaint(parameter, town, path)

    line = Marketplaces(**FOUR_SITES)
    assert "it has no geography" in complaint(parameter, line, "geography.land.0")


def test_a_number_of_the_geographys_table(tmp_path: Path) -> None:
    file = tmp_path / "town.toml"
    file.write_text(
        'model = "commuting"\n[geography]\nkind = "segment"\ncells = 3\nspacing = 0.5\n'
        "[parameters]\ncommuting_cost = 0.1\nlabor_per_firm = 1.0\nfirms = [0.3, 0.0, 0.0]\n"
    )
    read = read_scenario(file)
    each = scenario_parameter(read, "geography.spacing")
    assert each.at(0.7).network.lengths.tolist() == [0.7] * 4  # type: ignore[attr-defined]
    found = sensitivity(model_from(read), [], parameters=[each], verify=False)
    wage = found.table.set_index(["table", "place", "quantity"]).loc[("cells", "0", "wage")]
    assert wage["elasticity"] == pytest.approx(1.0)


# --- on the command line --------------------------------------------------------------------------


def test_sensitivity_on_the_command_line(tmp_path: Path) -> None:
    line = ["sensitivity", "two-cell-low", "--wrt", "t,tau", "--elasticities", "--out", "out"]
    run = agora(*line, folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "elasticity" in run.stdout
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {
        "manifest.json",
        "sensitivities.csv",
        "sensitivities.parquet",
        "ranges.csv",
        "tornado.png",
    } <= written


@pytest.mark.parametrize(
    ("wrt", "sentence"),
    [
        ("commuting_cots", "did you mean commuting_cost?"),
        ("", "one or more parameters"),
        ("t,commuting_cost", "differ from each other"),
    ],
)
def test_bad_input_on_the_command_line(
    wrt: str,
    sentence: str,
    tmp_path: Path,
) -> None:
    run = agora("sensitivity", "two-cell-low", "--wrt", wrt, folder=tmp_path)
    assert run.returncode == 2
    assert sentence in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_sensitivity_as_json(tmp_path: Path) -> None:
    run = agora("sensitivity", "two-cell-low", "--wrt", "t", "--quick", "--json", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    assert {"table", "quantity", "place", "value", "unit", "parameter", "derivative", "exists"} <= set(
        answer["sensitivities"][0]
    )

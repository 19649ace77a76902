"""Reproductions: every claim is computed, no computed value is typed, and the verdicts are the known ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora.data.checks import InputError
from agora.methods.city.firms_game import FirmsGame
from agora.methods.city.vertex_enumeration import global_maximiser
from agora.papers import reproducing as runner
from agora.papers.claims import Claim, Paper, papers, read_claims, read_paper
from agora.papers.computations import COMPUTATIONS, Finding, check, computations, computes, judge
from agora.papers.osawa_akamatsu import many_cells
from agora.papers.osawa_akamatsu.cities import (
    all_equilibria,
    centric,
    circle_cells,
    decay_on_circle,
    turning_point,
    two_cells,
    upper_envelope,
)
from agora.papers.reproducing import COLUMNS, count_verdicts, reproduce
from agora.papers.site.verdicts import VERDICTS

OSAWA = "osawa-akamatsu"
CLAIMS = {claim.id: claim for claim in read_claims(OSAWA)}


SLOW = [identifier for identifier, each in CLAIMS.items() if each.slow]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    """Reproduce the claims that are not slow."""
    folder = tmp_path_factory.mktemp("runs") / "reproduce"
    return reproduce(OSAWA, folder, quick=True), folder


@pytest.fixture(scope="module")
def slow_run(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Reproduce the claims that are slow, on maps of fewer points."""
    with pytest.MonkeyPatch.context() as patch:
        computations(OSAWA)
        patch.setattr(many_cells, "certified_points", thinned_points)
        return reproduce(OSAWA, tmp_path_factory.mktemp("runs") / "slow", claims=SLOW)


certified_points = many_cells.certified_points


def thinned_points(cells: int, decays: many_cells.Values, costs: many_cells.Values) -> pd.DataFrame:
    """Map every 40th decay and every fourth cost of a large grid; a heavy test maps all of it."""
    across, up = many_cells.listed(decays), many_cells.listed(costs)
    many = len(across) * len(up) > many_cells.FEW_POINTS
    return certified_points(cells, *((across[::40], up[::4]) if many else (across, up)))


# --- the list of claims ------------------------------------------------------------------------


def test_every_claim_has_a_computation_and_every_computation_a_claim() -> None:
    listed = set()
    for paper in papers():
        known = computations(paper)
        named = {claim.computation for claim in read_claims(paper)}
        assert named <= set(known)
        listed |= named
    assert {name for name in COMPUTATIONS if not name.startswith("test-")} == listed


@pytest.mark.parametrize("paper", papers())
def test_identifiers_are_unique(paper: str) -> None:
    identifiers = [claim.id for claim in read_claims(paper)]
    assert len(set(identifiers)) == len(identifiers)


@pytest.mark.parametrize("paper", papers())
def test_claims_store_no_verdict(paper: str) -> None:
    assert not {"verdict", "computed", "expected"} & set(Claim.model_fields)
    assert read_paper(paper).citation


def test_unknown_paper_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"did you mean osawa-akamatsu"):
        reproduce("osawa-akamatu", tmp_path / "out")
    with pytest.raises(InputError, match=r"paper is 'none'"):
        read_claims("none")
    assert not (tmp_path / "out").exists()


def test_two_computations_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match="two computations"):
        computes("equilibria-of-nothing")(computes("equilibria-of-nothing")(lambda: 1.0))
    del COMPUTATIONS["equilibria-of-nothing"]


# --- verdicts ----------------------------------------------------------------------------------

# From an independent numerical check of the paper: claim, verdict, computed value, tolerance.
KNOWN: list[tuple[str, str, float | str | bool | None, float]] = [
    ("proposition-4-highest", "reproduced", 2 * 0.5 * 0.9 * (0.5 - 0.25), 1e-7),
    ("proposition-4-integrated", "corrected", 2 * 0.5 * 0.9 * (0.3 - 0.25), 1e-7),
    ("proposition-4-lowest", "corrected", 2 * 0.5 * 0.9 * (0.25 - 0.1), 1e-7),
    ("proposition-4-global", "reproduced", 0.135, 1e-10),
    ("proposition-5", "reproduced", 0.125, 1e-10),
    ("proposition-6", "reproduced", 0.1875, 1e-10),
    ("proposition-a1-mono", "reproduced", 0.375, 1e-7),
    ("proposition-a1-mono-proof", "corrected", 0.375, 1e-7),
    ("proposition-a1-duo", "reproduced", 0.125, 1e-7),
    ("proposition-a1-first-mixed", "refuted", False, 0.0),
    ("proposition-a1-first-mixed-slope", "corrected", 0.0, 1e-8),
    ("proposition-a1-second-mixed-low", "corrected", 0.125, 1e-7),
    ("proposition-a1-second-mixed-high", "corrected", 0.25, 1e-7),
    ("proposition-7-critical-decay", "reproduced", 6.672921554819, 1e-11),
    ("proposition-7-low-decay", "reproduced", 0.156008152041, 1e-12),
    ("proposition-7-upper", "reproduced", 0.186911268104, 1e-12),
    ("proposition-7-lower", "corrected", 0.138032915375, 1e-12),
    ("proposition-7-upper-fast-decay", "reproduced", 0.225726153860, 1e-12),
    ("proposition-7-lower-fast-decay", "corrected", 0.076659448998, 1e-12),
    ("eight-cells-commuting-uniform", "reproduced", 0.0, 1e-9),
    ("eight-cells-commuting-mono", "corrected", 0.25, 1e-9),
    ("eight-cells-commuting-duo", "reproduced", 0.125, 1e-9),
    ("eight-cells-commuting-quad", "corrected", 0.125, 1e-9),
    ("footnote-19-k23-slow", "refuted", -0.0253867, 1e-7),
    ("footnote-19-k23-fast", "refuted", -0.0096274, 1e-7),
    ("footnote-19-k33", "refuted", -0.1248314, 1e-7),
    ("equilibria-of-three-cells", "reproduced", 25, 0.0),
    ("less-important-equilibria", "reproduced", 18, 0.0),
    ("footnote-28", "corrected", "4, 8, 24, 48, 240, 240, 1,680, 3,360", 0.0),
    ("e3-second-of-two", "corrected", 0.75, 1e-12),
    ("e6-decreasing-two-three", "refuted", 1.94, 5e-3),
    ("e6-decreasing-four-five", "refuted", 3.05, 2e-2),
    ("e10", "corrected", None, 0.0),
    ("observation-3-figure-9", "reproduced", "uniform → 4 → 3 → 2 → 1", 0.0),
    ("conjecture-1-24-cells", "refuted", 0.010400117916 - 0.009609776869, 1e-11),
    ("conjecture-1-48-cells", "refuted", 0.007835385231 - 0.007761523928, 1e-11),
    ("conjecture-1-24-cells-global", "refuted", 0.010400117916 - 0.009609776869, 1e-11),
    ("conjecture-1-48-cells-global", "refuted", 0.007835385231 - 0.007761523928, 1e-11),
    ("conjecture-1-repaired", "reproduced", 0.0, 0.0),
    ("remark-1", "reproduced", 0.5, 1e-9),
    ("proposition-2", "reproduced", 0.0, 1e-8),
    ("figure-2c", "reproduced", True, 0.0),
    ("remark-d2", "reproduced", True, 0.0),
    ("conjecture-1-repaired-48", "reproduced", 0.0, 0.0),
    ("e6-finite", "reproduced", 0.0, 1e-12),
    ("equilibria-of-three-cells-middle", "corrected", 13, 0.0),
    ("equilibria-of-three-cells-high", "corrected", 1, 0.0),
]


def check_row(row: pd.Series, verdict: str, value: Any, tolerance: float) -> None:
    assert row["verdict"] == verdict, row["note"]
    if isinstance(value, str | bool):
        assert row["computed"] == value
    elif value is not None:
        assert row["computed"] == pytest.approx(value, abs=tolerance, rel=0)


QUICK = [known for known in KNOWN if known[0] not in SLOW]


@pytest.mark.parametrize(("identifier", "verdict", "value", "tolerance"), QUICK, ids=[k[0] for k in QUICK])
def test_verdict(
    run: tuple[pd.DataFrame, Path], identifier: str, verdict: str, value: Any, tolerance: float
) -> None:
    check_row(run[0].iloc[list(CLAIMS).index(identifier)], verdict, value, tolerance)


@pytest.mark.heavy
def test_verdicts_that_are_slow(slow_run: pd.DataFrame) -> None:
    assert len(slow_run) == len(SLOW)
    assert not set(slow_run["verdict"]) & {"failed", "not computable"}
    for identifier, verdict, value, tolerance in KNOWN:
        if identifier in SLOW:
            check_row(slow_run.iloc[SLOW.index(identifier)], verdict, value, tolerance)


def test_nothing_breaks(run: tuple[pd.DataFrame, Path]) -> None:
    broken = run[0][run[0]["verdict"].isin(["failed", "not computable"])]
    assert broken.empty, broken[["item", "note"]].to_string()
    left_out = [
        identifier
        for identifier, verdict in zip(CLAIMS, run[0]["verdict"], strict=True)
        if verdict == "not run"
    ]
    assert left_out == SLOW


def test_figure_9_switches_where_the_potentials_tie(run: tuple[pd.DataFrame, Path]) -> None:
    """Source: computed independently from (E.1) and (E.6); ten digits."""
    notes = {identifier: run[0].iloc[list(CLAIMS).index(identifier)]["note"] for identifier in CLAIMS}
    for switch in ("0.02540380", "0.07035461", "0.1159562024", "0.1324386398"):
        assert switch in notes["observation-3-figure-9"]
    for switch in ("0.02483729", "0.0687853852", "0.1133704359", "0.1438229326"):
        assert switch in notes["observation-3-48-cells"]
    for switch in ("1.321285473", "13.14354876", "23.06550819", "32.76006917"):
        assert switch in notes["observation-4"]


@pytest.mark.parametrize(
    ("identifier", "argument", "other"),
    [
        ("footnote-19-k23-slow", "decay", 0.2),
        ("proposition-4-lowest", "delta", 0.2),
        ("proposition-4-global", "land", 0.55),
        ("proposition-5", "delta", 0.6),
        ("proposition-6", "delta", 0.6),
        ("proposition-a1-duo", "delta", 0.6),
        ("proposition-a1-second-mixed-low", "delta", 0.6),
        ("proposition-a1-first-mixed-slope", "from_cell", 1),
        ("eight-cells-commuting-quad", "centres", 1),
        ("proposition-7-low-decay", "decay", 5.0),
        ("proposition-7-lower", "decay", 9.0),
        ("less-important-equilibria", "cost", 0.2),
        ("footnote-28", "most", 7),
        ("observation-3-figure-9", "decay", 12.0),
        ("conjecture-1-24-cells", "decay", 45.0),
        ("e3-second-of-two", "which", 1),
        ("e6-two", "decay", 9.0),
        ("e10", "decay", 9.0),
        ("remark-1", "labor", 2.0),
        ("figure-2c", "land", 0.6),
        pytest.param("remark-d2", "masses", [0.7, 0.5], marks=pytest.mark.heavy),
    ],
)
def test_no_computed_value_is_typed(
    run: tuple[pd.DataFrame, Path], identifier: str, argument: str, other: Any
) -> None:
    claim = CLAIMS[identifier]
    assert claim.arguments[argument] != other
    changed = claim.model_copy(update={"arguments": {**claim.arguments, argument: other}})
    first = run[0].iloc[list(CLAIMS).index(identifier)]["computed"]
    second = check(changed, computations(OSAWA)).computed
    if isinstance(first, str):
        assert first != second
    else:
        assert abs(float(first) - float(second)) > 1e-6


@pytest.mark.parametrize("delta", [0.35, *(pytest.param(d, marks=pytest.mark.heavy) for d in (0.2, 0.8))])
def test_printed_formulas_hold_at_other_arguments(delta: float) -> None:
    known = computations(OSAWA)
    for identifier in ("proposition-5", "proposition-6", "proposition-a1-mono", "proposition-5-proof"):
        claim = CLAIMS[identifier]
        changed = claim.model_copy(update={"arguments": {**claim.arguments, "delta": delta}})
        assert judge(changed, check(changed, known)) == "reproduced"


# --- judging -----------------------------------------------------------------------------------


def claim(printed: float | str, tolerance: float | None = None, **arguments: Any) -> Claim:
    return Claim(
        id="x",
        item="here",
        quantity="something",
        printed=printed,
        computation="test-computation",
        arguments=arguments,
        tolerance=tolerance,
    )


@pytest.mark.parametrize(
    ("printed", "tolerance", "finding", "verdict"),
    [
        (1.0, 1e-3, Finding(1.0005), "reproduced"),
        (1.0, 1e-3, Finding(1.002), "corrected"),
        (1.0, None, Finding(1.0), "reproduced"),
        (25, None, Finding(24), "corrected"),
        ("t", 1e-9, Finding(0.5, printed=0.5), "reproduced"),
        ("t", 1e-9, Finding(0.5, printed=0.6), "corrected"),
        ("always", None, Finding(True), "reproduced"),
        ("always", None, Finding(False), "refuted"),
        ("1, 2", None, Finding("1, 2"), "reproduced"),
        ("1, 2", None, Finding("1, 3"), "corrected"),
        ("> 0", None, Finding(-1.0, verdict="refuted"), "refuted"),
    ],
)
def test_judge(printed: float | str, tolerance: float | None, finding: Finding, verdict: str) -> None:
    assert judge(claim(printed, tolerance), finding) == verdict


@pytest.mark.parametrize(("printed", "computed"), [("a formula", 1.0), (1.0, float("nan")), (1.0, np.inf)])
def test_what_cannot_be_compared_is_not_judged(printed: float | str, computed: float) -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        judge(claim(printed), Finding(computed))


@pytest.fixture
def small_paper(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make the runner read a paper of a few given claims."""

    def put(*claims: Claim) -> None:
        monkeypatch.setitem(COMPUTATIONS, "test-computation", lambda value: 1.0 / value)
        monkeypatch.setattr(runner, "papers", lambda: ["small"])
        monkeypatch.setattr(
            runner, "read_paper", lambda name: Paper(name=name, citation="A & B <2020>", claim=list(claims))
        )
        monkeypatch.setattr(runner, "computations", lambda name: COMPUTATIONS)

    return put


def test_a_broken_computation_is_one_verdict(small_paper: Callable[..., None], tmp_path: Path) -> None:
    small_paper(claim(0.5, value=2.0), claim(1.0, value=0.0), claim(1.0, wrong=1.0))
    table = reproduce("small", tmp_path / "out")
    assert list(table["verdict"]) == ["reproduced", "failed", "failed"]
    assert "ZeroDivisionError" in table["note"][1]
    assert "TypeError" in table["note"][2]
    assert json.loads((tmp_path / "out" / "verdicts.json").read_text(encoding="utf-8"))[1]["computed"] is None
    assert "A &amp; B &lt;2020&gt;" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_a_quick_run_leaves_out_slow_claims(small_paper: Callable[..., None], tmp_path: Path) -> None:
    slow = claim(0.5, value=2.0).model_copy(update={"slow": True})
    small_paper(claim(0.5, value=2.0), slow)
    assert list(reproduce("small", tmp_path / "out", quick=True)["verdict"]) == ["reproduced", "not run"]
    assert list(reproduce("all", tmp_path / "out")["verdict"]) == ["reproduced", "reproduced"]


def test_a_claim_can_be_computed_alone(small_paper: Callable[..., None], tmp_path: Path) -> None:
    other = claim(0.25, value=4.0).model_copy(update={"id": "y"})
    small_paper(claim(0.5, value=2.0), other)
    table = reproduce("small", tmp_path / "out", claims=["y"])
    assert list(table["computed"]) == [0.25]
    with pytest.raises(InputError, match="claim is 'z'"):
        reproduce("small", tmp_path / "other", claims=["z"])
    assert not (tmp_path / "other").exists()


def test_other_files_are_left_alone(small_paper: Callable[..., None], tmp_path: Path) -> None:
    small_paper(claim(0.5, value=2.0))
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="earlier run folder"):
        reproduce("small", tmp_path)
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "mine"


# --- what is written ---------------------------------------------------------------------------


def test_table(run: tuple[pd.DataFrame, Path]) -> None:
    table, folder = run
    assert tuple(table.columns) == COLUMNS
    assert len(table) == len(CLAIMS)
    assert set(table["verdict"]) <= set(VERDICTS)
    assert sum(count_verdicts(table).values()) == len(table)
    assert {path.name for path in folder.iterdir()} == {
        "manifest.json",
        "verdicts.csv",
        "verdicts.json",
        "index.html",
        "osawa-akamatsu.html",
        "osawa-akamatsu",
    }
    assert list(pd.read_csv(folder / "verdicts.csv").columns) == list(COLUMNS)
    records = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))
    assert [record["verdict"] for record in records] == list(table["verdict"])
    assert [tuple(record) for record in records] == [COLUMNS] * len(table)


def test_the_manifest_says_how_long_each_claim_took(run: tuple[pd.DataFrame, Path]) -> None:
    manifest = json.loads((run[1] / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["seconds_by_claim"][OSAWA]) == set(CLAIMS)
    assert manifest["verdicts"] == count_verdicts(run[0])
    assert "pyomo" in manifest["versions"]


# --- the tools ---------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_upper_envelope_is_the_maximum(seed: int, number: int) -> None:
    random = np.random.default_rng(seed)
    production, commuting = random.uniform(0, 1, number), random.uniform(0, 1, number)
    pieces = upper_envelope(production, commuting)
    assert [piece.high for piece in pieces[:-1]] == [piece.low for piece in pieces[1:]]
    assert pieces[0].low == 0
    assert pieces[-1].high == np.inf
    for piece in pieces:
        cost = piece.low + 1 if np.isinf(piece.high) else (piece.low + piece.high) / 2
        values = production - cost * commuting
        assert values[piece.candidate] == pytest.approx(values.max(), abs=1e-12)


def test_a_turning_point_needs_a_change() -> None:
    assert turning_point(lambda x: x < 0.3, 0.0, 1.0) == pytest.approx(0.3, abs=1e-8)
    with pytest.raises(ValueError, match="True at both"):
        turning_point(lambda x: True, 0.0, 1.0)


@pytest.mark.parametrize(
    ("cells", "centres", "pattern"),
    [
        (8, 0, [1] * 8),
        (8, 1, [0, 0, 2, 2, 2, 2, 0, 0]),
        (8, 2, [0, 2, 2, 0] * 2),
        (8, 4, [2, 0] * 4),
        (12, 3, [0, 2, 2, 0] * 3),
    ],
)
def test_patterns_are_those_of_section_6(cells: int, centres: int, pattern: list[int]) -> None:
    assert (centric(cells, centres) * 2 * cells).tolist() == pattern


def test_centres_must_fit() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        centric(12, 5)


@pytest.mark.parametrize(
    ("decay", "cost", "centres"),
    [
        (4.0, 0.156008152041 - 1e-6, 1),
        (4.0, 0.156008152041 + 1e-6, 0),
        (8.0, 0.138032915375 + 1e-6, 2),
    ],
)
def test_switches_agree_with_the_certified_method(decay: float, cost: float, centres: int) -> None:
    """The global method next to the switches of Proposition 7, which the envelope finds."""
    city = circle_cells(8, decay)(cost)
    game = FirmsGame(city)
    answer = global_maximiser(city)
    assert answer.is_global
    assert answer.objective == pytest.approx(game.potential(game.lower_stage(centric(8, centres))), abs=1e-12)


@pytest.mark.parametrize(
    ("cost", "number", "maximisers"),
    [
        (0.15, 25, 7),
        *(pytest.param(*row, marks=pytest.mark.heavy) for row in ((0.2, 13, 7), (0.26, 1, 1))),
    ],
)
def test_equilibria_of_three_cells(cost: float, number: int, maximisers: int) -> None:
    """Source: section 6.1 for t < (3/8)(1 − δ), and an independent enumeration; δ = 1/2."""
    game = FirmsGame(circle_cells(3, decay_on_circle(3, 0.5))(cost))
    states = all_equilibria(game)
    assert len(states) == number
    assert sum(game.kind(state) == "local maximiser" for state in states) == maximisers
    orbits = {tuple(sorted(np.round(state.firms * 6, 6).tolist(), reverse=True)) for state in states}
    if cost == 0.15:
        mixed = {(2, 0.5, 0.5), (1.8, 0.6, 0.6), (1.6, 1, 0.4), (1.5, 1.5, 0), (1.4, 1.4, 0.2)}
        assert orbits == {(2, 1, 0), (1, 1, 1)} | mixed


def test_equilibria_are_listed_for_small_cities_only() -> None:
    for city in (circle_cells(4, 1.0)(0.1), two_cells(0.6, 1.0, firm_mass=0.4, labor=1.0)(0.1)):
        with pytest.raises(ValueError, match="at most three cells"):
            all_equilibria(FirmsGame(city))

"""Berliant & Konishi (2000): the tables of section 5 re-solved, cell by cell, and what is wrong in them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from functools import cache
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browsing import open_page, shown_rows

from agora.papers import computations as reproductions
from agora.papers import reproducing as runner
from agora.papers.berliant_konishi import (
    beyond,
    economies,
    printed_cells,
    statements,
    sweep,
    theory,
)
from agora.papers.claims import Claim, half_a_digit, read_claims, read_paper
from agora.papers.computations import check, computations
from agora.papers.reproducing import count_verdicts, reproduce

PAPER = "berliant-konishi"
CLAIMS = {claim.id: claim for claim in read_claims(PAPER)}
CELLS = [claim for claim in CLAIMS.values() if claim.computation.startswith("printed-")]


Row = tuple[str, float]
ROWS: set[Row] = {("case1", 0.05), ("case1", 0.1), ("case1", 0.5), ("case2", 0.01), ("case2", 0.05)}
ROWS |= {("case2", 0.4), ("case3", 0.1), ("case4", 0.05), ("case5", 0.05)}
"""The printed rows that the default tests solve; heavy tests solve all 17."""
EVERY_ROW = printed_cells.printed_rows()
COARSE = (0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5)
"""The q̄ between which the default tests look for changes; heavy tests do at 100."""


@pytest.fixture(autouse=True)
def rows_and_grid(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let statements about all rows and all q̄ be about a few of them, unless a test is marked heavy."""
    if request.node.get_closest_marker("heavy") is None:
        few_rows(monkeypatch)
        for module in (sweep, statements):
            monkeypatch.setattr(module, "GRID", COARSE)
    caches = (sweep.path, sweep.thresholds, printed_cells.best_match)
    for each in caches:
        each.cache_clear()
    yield
    for each in caches:
        each.cache_clear()


def few_rows(patch: pytest.MonkeyPatch) -> None:
    """Let the printed rows be those that the default tests solve."""
    few = {row: claims for row, claims in EVERY_ROW.items() if row in ROWS}
    for module in (printed_cells, statements, theory):
        patch.setattr(module, "printed_rows", lambda: few)


@cache
def verdict_on(identifier: str) -> pd.Series:
    """Return the row of the table of verdicts for a claim."""
    return pd.Series(runner._verdict(PAPER, CLAIMS[identifier], computations(PAPER)).row())


def heavy_unless(quick: bool, *values: Any) -> Any:
    """Return a case of a test, heavy unless it is quick."""
    return pytest.param(*values, id="-".join(map(str, values[:2])), marks=[] if quick else pytest.mark.heavy)


def row_of(cell: Claim) -> Row:
    return cell.arguments["case"], cell.arguments["setup_cost"]


ALSO_AS_A_MODEL = {("case1", 0.5), ("case4", 0.05), ("case5", 0.05)}
"""Rows of which the default tests of the model know the same numbers."""

# From 16-digit solves with another program: case, q̄, utility, locations, populations, next best utility.
KNOWN = [
    ("case1", 0.01, 1.011929, [0, 0.33, 0.67, 1], [0.25, 0.25, 0.25, 0.25], 0.989981),
    ("case1", 0.05, 0.904617, [0.33, 0.67], [0.1944, 0.3056, 0.3056, 0.1944], 0.893295),
    ("case1", 0.1, 0.834792, [0.5], [0.1882, 0.3118, 0.3118, 0.1882], 0.822290),
    ("case1", 0.5, 0.478452, [0.5], [0.1253, 0.3747, 0.3747, 0.1253], None),
    ("case2", 0.01, 1.018215, [0, 0.33, 0.67, 1], [0.2240, 0.2240, 0.2760, 0.2760], 1.001410),
    ("case2", 0.05, 0.910762, [0.33, 0.67], [0.1756, 0.2744, 0.3366, 0.2133], 0.904349),
    ("case2", 0.4, 0.581014, [0.6557], [0.1275, 0.3269, 0.3736, 0.1719], 0.266365),
    ("case2", 0.5, 0.484985, [0.6202], [0.1086, 0.3566, 0.3933, 0.1416], None),
    ("case3", 0.1, 0.842303, [0.6053], [0.1736, 0.2953, 0.3266, 0.2045], 0.834277),
    ("case4", 0.05, 0.903806, [0.33, 0.67], [0.1943, 0.3057, 0.3057, 0.1943], 0.876070),
    ("case5", 0.05, 0.932080, [0.5, 0.67, 1], [0.1831, 0.2954, 0.2608, 0.2608], 0.916830),
]


@pytest.mark.parametrize(
    ("case", "setup_cost", "utility", "locations", "population", "next_best"),
    [heavy_unless((case, cost) in ROWS - ALSO_AS_A_MODEL, case, cost, *rest) for case, cost, *rest in KNOWN],
)
def test_rows_are_the_known_ones(
    case: str,
    setup_cost: float,
    utility: float,
    locations: list[float],
    population: list[float],
    next_best: float | None,
) -> None:
    found = printed_cells.row(case, setup_cost)
    assert found.utility == pytest.approx(utility, abs=1e-6)
    np.testing.assert_allclose(found.locations, locations, atol=5.1e-5)
    np.testing.assert_allclose(found.population, population, atol=6e-5)
    other = economies.runner_up(case, setup_cost)
    assert (other and other.utility) == (next_best and pytest.approx(next_best, abs=1e-6))


def test_the_program_and_the_settlement_agree() -> None:
    for case, setup_cost in ROWS:
        found = printed_cells.row(case, setup_cost)
        solved = economies.solution(case, setup_cost, found.locations)
        assert solved.objective == pytest.approx(found.utility, abs=1e-8)
        for quantity in (*economies.QUANTITIES, "wage"):
            mine = found.wages if quantity == "wage" else getattr(found, quantity)
            np.testing.assert_allclose(solved.tables["sites"][quantity], mine, atol=1e-7)


# --- every printed cell ------------------------------------------------------------------------


def test_every_printed_cell_is_a_claim() -> None:
    path = Path(str(files("agora.papers.berliant_konishi"))) / "printed.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        printed = list(csv.DictReader(lines))
    for cell in printed:
        for column in economies.QUANTITIES:
            claim = CLAIMS[f"{cell['case']}-{cell['setup_cost']}-{cell['site']}-{column}"]
            assert claim.arguments["printed"] == cell[column]
            assert claim.printed == float(cell[column])
            assert claim.tolerance == half_a_digit(cell[column])
        for column in ("n_markets", "market_locations"):
            claim = CLAIMS[f"{cell['case']}-{cell['setup_cost']}-{column}"]
            assert str(claim.printed).removesuffix(".0") == cell[column]
    rows = {(cell["case"], cell["setup_cost"]) for cell in printed}
    assert len(CELLS) == 3 * len(printed) + 2 * len(rows)


# Source: the errata of the printed tables, and a program of its own.
DIFFERING = {f"case1-0.5-{site}-production" for site in "abcd"}
DIFFERING |= {"case2-0.1-a-production", "case2-0.2-b-production", "case2-0.3-b-production"}
DIFFERING |= {"case2-0.4-b-production", "case2-0.5-c-production", "case2-0.2-b-rent"}
DIFFERING |= {f"case2-0.05-{site}-{column}" for site in "abcd" for column in ("population", "rent")}
DIFFERING |= {f"case2-0.05-{site}-production" for site in "bc"}


@pytest.mark.parametrize("row", [heavy_unless(row in ROWS, row) for row in EVERY_ROW])
def test_the_cells_that_differ_and_the_words_that_say_so(row: Row) -> None:
    cells = [claim for claim in CELLS if row_of(claim) == row]
    assert len(cells) == 14
    differing = {claim.id for claim in cells if verdict_on(claim.id)["verdict"] == "corrected"}
    assert differing == DIFFERING & {claim.id for claim in cells}
    for claim in cells:
        found = verdict_on(claim.id)
        if claim.computation != "printed-cell":
            assert found["verdict"] == "reproduced"
            continue
        off = abs(found["computed"] - found["printed"]) / (2 * found["tolerance"])
        words = "Equal" if off <= 0.5 else "Differs in the last" if off <= 1.5 else "differs, by"
        assert found["note"].lower().startswith(words.lower())
        assert (found["verdict"] == "reproduced") == (off <= 0.5)


@pytest.mark.parametrize(
    ("printed", "computed", "off"),
    [("0.17", 0.1651, 0), ("0.17", 0.16453, 1), ("0.48", 0.44723, 3), ("0.5", 0.45, 0), ("0.022", 0.0205, 1)],
)
def test_digits(printed: str, computed: float, off: int) -> None:
    assert printed_cells.digits_off(printed, computed) == off


@pytest.mark.parametrize(
    "others", [ROWS, pytest.param(set(EVERY_ROW), marks=pytest.mark.heavy)], ids=["few", "every"]
)
def test_the_wrong_row_is_found_by_search(others: set[Row]) -> None:
    """Table 2, q̄ = .05 is the row of q̄ = .01 with two marketplaces."""
    top, own = printed_cells.best_match("case2", 0.05)
    assert (top.case, top.setup_cost, top.number, top.structure) == ("case2", 0.01, 2, "b c")
    assert (top.equal, top.close) == (7, 12)
    assert (own.equal, own.close) == (2, 3)
    note = verdict_on("case2-0.05-c-rent")["note"]
    assert "q̄ = 0.01 with two marketplaces at b c in case 2" in note
    for row in others - {("case2", 0.05)}:
        top, own = printed_cells.best_match(*row)
        assert top == own


# --- statements --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identifier", "verdict"),
    [
        ("definition-2.13", "reproduced"),
        heavy_unless(False, "case1-one-marketplace", "reproduced"),
        ("case1-middle", "reproduced"),
        ("case1-relative-rents", "reproduced"),
        ("case1-rents-fall", "refuted"),
        ("case1-agglomeration-with-two", "reproduced"),
        ("footnote-23", "reproduced"),
        ("footnote-23-table-2", "reproduced"),
        heavy_unless(False, "case2-biased", "reproduced"),
        ("case2-moves-left", "reproduced"),
        ("case3-biased", "reproduced"),
        ("case4-as-case1", "corrected"),
        ("example-1-frontier", "reproduced"),
        heavy_unless(False, "example-1-non-convex", "reproduced"),
        ("example-1-ideal-1", "corrected"),
        ("example-1-ideal-2", "corrected"),
        ("example-1-other-order-1", "reproduced"),
        ("example-1-other-order-2", "reproduced"),
        heavy_unless(False, "example-1-empty-core", "reproduced"),
        heavy_unless(False, "example-1-empty-core-as-located", "reproduced"),
        ("introduction-number-case1", "reproduced"),
        ("introduction-central-rents", "refuted"),
        ("introduction-near-rents", "reproduced"),
        ("introduction-wages", "reproduced"),
        heavy_unless(False, "introduction-at-sites", "reproduced"),
        heavy_unless(False, "introduction-apart-high-cost", "reproduced"),
        heavy_unless(False, "introduction-apart-asymmetric", "refuted"),
        heavy_unless(False, "locally-unique", "reproduced"),
        ("figure-2", "reproduced"),
        ("corollary-1", "reproduced"),
        ("theorem-3.2", "reproduced"),
        heavy_unless(False, "remark-5", "reproduced"),
        heavy_unless(False, "theorem-4.1", "reproduced"),
        heavy_unless(False, "footnote-22", "reproduced"),
        ("case2-more-in-c-and-d", "reproduced"),
        ("case2-more-in-a-and-b", "reproduced"),
        ("footnote-24", "reproduced"),
        ("case5-first-nature", "reproduced"),
        ("example-1-two-marketplaces", "reproduced"),
        ("example-1-own-marketplaces", "corrected"),
    ],
)
def test_verdict(identifier: str, verdict: str) -> None:
    row = verdict_on(identifier)
    assert row["verdict"] == verdict, row["note"]


@pytest.mark.parametrize(
    ("identifier", "changes"),
    [
        ("case1-middle", {"direction": "down"}),
        ("case2-moves-left", {"direction": "up"}),
        heavy_unless(False, "case1-one-marketplace", {"setup_cost": 0.05}),
        heavy_unless(False, "case2-biased", {"case": "case1"}),
        ("footnote-23", {"setup_cost": 0.1}),
        ("case4-as-case1", {"other_case": "case5"}),
        heavy_unless(False, "example-1-frontier", {"location": 0.25}),
        heavy_unless(False, "example-1-non-convex", {"seconds": ["min{2c₁, c₂}"]}),
        ("example-1-other-order-2", {"utility": "min{c₁, c₂}"}),
        heavy_unless(False, "example-1-empty-core", {"second": "min{2c₁, c₂}"}),
        heavy_unless(False, "example-1-own-marketplaces", {"second": "min{2c₁, c₂}"}),
        ("introduction-number-case1", {"direction": "up"}),
        ("introduction-wages", {"case": "case1"}),
        heavy_unless(False, "introduction-at-sites", {"rows": [["case1", 0.1]]}),
        ("figure-2", {"locations": [0.5]}),
        ("case2-more-in-c-and-d", {"sites": "ab"}),
        heavy_unless(False, "footnote-24", {"numbers": [2, 8, 3]}),
        ("case5-first-nature", {"other_case": "case1"}),
    ],
)
def test_no_verdict_is_typed(identifier: str, changes: dict[str, Any]) -> None:
    claim, known = CLAIMS[identifier], computations(PAPER)
    changed = claim.model_copy(update={"arguments": {**claim.arguments, **changes}})
    assert check(claim, known).computed != check(changed, known).computed


# --- Example 1 ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identifier", "location", "words"),
    [
        (
            "ideal-1",
            5 - math.sqrt(78) / 2,
            "= 5 − ½√78 and 0.324129 at d = 0.41588, which is ideal for min{c₁, 2c₂}",
        ),
        ("ideal-2", 0.5, "= ½ and 0.247641 at d = 0.58412, which is ideal for min{2c₁, c₂}"),
        ("other-order-1", 5 - math.sqrt(78) / 2, "min{2c₁, c₂} reaches 0.336478 at d = 0.58412 = 5 − ½√78"),
        ("other-order-2", math.sqrt(78) / 2 - 4, "min{c₁, 2c₂} reaches 0.336478 at d = 0.41588 = −4 + ½√78"),
    ],
)
def test_ideal_locations(identifier: str, location: float, words: str) -> None:
    """Source: closed forms; utilities u at d solve (a₁u + ½) / (2 − d) + (a₂u + ½) / (1 + d) = 1."""
    row = verdict_on(f"example-1-{identifier}")
    assert row["computed"] == pytest.approx(location, abs=1e-6)
    assert words in row["note"]


@pytest.mark.heavy  # the core itself is tested with the model of coalitions
@pytest.mark.parametrize(
    ("identifier", "share", "bound"),
    [("empty-core", "0.236", "-0.00235"), ("empty-core-as-located", "0.943", "-0.00934")],
)
def test_the_empty_core_comes_with_its_proof(identifier: str, share: str, bound: str) -> None:
    row = verdict_on(f"example-1-{identifier}")
    assert row["computed"] is True
    assert f"ε = {share}" in row["note"]
    assert f"λ = {bound}" in row["note"]
    assert f"no coalition gains more than {bound}" in row["note"]


# --- beyond the printed ------------------------------------------------------------------------


@pytest.mark.heavy
def test_two_numbers_of_marketplaces_are_as_good_at_a_threshold() -> None:
    """One in the middle saves q̄ composites, worth 2 hours each, and costs everybody .17 hours."""
    change = sweep._change_of_number("case1", 2, 1, 0.05, 0.1)
    assert change["setup_cost"] == pytest.approx(0.085, abs=1e-6)
    assert change["proved_within"] <= 2e-6
    with pytest.raises(RuntimeError, match="another number of marketplaces is better"):
        sweep._change_of_number("case2", 4, 2, 0.01, 0.05)


@pytest.mark.heavy
def test_the_marketplace_leaves_c_where_the_search_says() -> None:
    leaves = sweep.thresholds().set_index("what").loc["location of the only marketplace", "setup_cost"]
    before, after = (economies.best("case2", round(leaves + step, 6))[0] for step in (-1e-3, 1e-3))
    assert before.name == "c"
    assert 0.66 < after.locations[0] < 0.67 - 1e-4


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    """Write the pages of the row of Table 2 that is wrong, with a figure and the row's program."""
    paper = read_paper(PAPER)
    row = [claim for claim in CELLS if row_of(claim) == ("case2", 0.05)]
    few = paper.model_copy(update={"claim": row, "figure": [paper.figure[0]]})
    added = reproductions.Beyond(
        tables={"thresholds": pd.DataFrame({"case": ["case1"], "setup_cost": [0.085]})},
        figures={paper.figure[0].name: beyond._draw_structure(0.1, (0.5,))},
        programs={"case2-0.05": economies.economy("case2", 0.05, marketplaces=2)},
    )
    folder = tmp_path_factory.mktemp("runs") / "out"
    with pytest.MonkeyPatch.context() as patch:
        few_rows(patch)
        patch.setattr(runner, "read_paper", lambda name: few)
        patch.setitem(reproductions.ADDITIONS, PAPER, lambda: added)
        return reproduce(PAPER, folder), folder


def test_files(page: tuple[pd.DataFrame, Path]) -> None:
    check_files(*page, ["figure-1"])


def check_files(table: pd.DataFrame, folder: Path, figures: list[str]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["seconds"] > 0
    assert manifest["verdicts"] == count_verdicts(table)
    for name in figures:
        for suffix in ("svg", "png"):
            assert (folder / PAPER / f"{name}.{suffix}").stat().st_size > 10_000
    page = (folder / f"{PAPER}.html").read_text(encoding="utf-8")
    assert "Beyond the printed" in page
    for figure in read_paper(PAPER).figure:
        if figure.name in figures:
            assert f'id="figure-{figure.name}"' in page
            assert figure.alt in unescape(page)


def test_what_is_wrong_in_table_2_and_why_in_two_clicks(
    page: tuple[pd.DataFrame, Path], browser: Any
) -> None:
    open_page(browser, page[1] / "index.html")
    browser.find_element("partial link text", "Table 2").click()
    wrong = page[0][page[0]["item"].str.startswith("Table 2") & (page[0]["verdict"] == "corrected")]
    shown = shown_rows(browser)
    assert len(shown) == len(wrong) == 10
    text = browser.find_element("css selector", ".claims tbody").text
    assert text.count("q̄ = 0.01 with two marketplaces at b c in case 2") >= 10
    browser.find_element("css selector", "#case2-0\\.05-b-population summary").click()
    links = browser.find_elements("css selector", "#case2-0\\.05-b-population details a")
    assert [link.text for link in links] == ["berliant-konishi/case2-0.05.gms"]
    assert browser.get_log("browser") == []


@pytest.mark.heavy
def test_the_whole_paper(tmp_path: Path) -> None:
    table = reproduce(PAPER, tmp_path / "out")
    assert set(table["verdict"]) == {"reproduced", "corrected", "refuted"}
    verdicts = dict(zip(CLAIMS, table["verdict"], strict=True))
    assert {claim.id for claim in CELLS if verdicts[claim.id] != "reproduced"} == DIFFERING
    wrong = table[table["item"].str.startswith("Table 2") & (table["verdict"] == "corrected")]
    assert len(wrong) == 16
    check_files(table, tmp_path / "out", ["figure-1", "figure-2", "figure-3", "figure-4", "sweep"])
    changes = pd.read_csv(tmp_path / "out" / PAPER / "thresholds.csv")
    number = changes[changes["what"] == "number of marketplaces"]
    assert list(zip(number["case"], number["below"], number["above"], strict=True)) == [
        ("case1", "4", "2"),
        ("case1", "2", "1"),
        ("case2", "4", "3"),
        ("case2", "3", "2"),
        ("case2", "2", "1"),
    ]
    for _, each in number.iterrows():
        sides = [
            economies.search(each["case"], each["setup_cost"], int(k)).utility
            for k in (each["below"], each["above"])
        ]
        assert sides[0] == pytest.approx(sides[1], abs=2e-6)


def test_a_broken_addition_leaves_the_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks() -> reproductions.Beyond:
        raise ValueError("no such thing")

    monkeypatch.setitem(reproductions.ADDITIONS, PAPER, breaks)
    added = runner._added(PAPER, lambda text: None)
    assert list(added.tables) == [f"{PAPER}-failed"]
    with pytest.raises(ValueError, match="two additions"):
        reproductions.goes_beyond(PAPER)(breaks)

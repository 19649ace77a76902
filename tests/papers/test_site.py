"""The pages of a reproduction, as files and in a real browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from browsing import open_page, shown_rows

from agora.data.scenarios import shipped_scenarios
from agora.papers.berliant_konishi.economies import economy
from agora.papers.claims import (
    Claim,
    Paper,
    PrintedFigure,
    PublishedScenario,
    Uncovered,
    papers,
    read_paper,
)
from agora.papers.computations import Beyond, Finding
from agora.papers.site import write_pages
from agora.papers.site.verdicts import Reproduction, Verdict
from agora.runners.figures import style

VOID = {"meta", "img", "input", "br", "link"}
MANIFEST = json.dumps(
    {
        "versions": {"agora": "0", "pyomo": "6"},
        "seconds": 1.0,
        "created": "2020-01-01T",
        "platform": "here",
    }
)
HOSTILE = "<script>alert('x')</script>"


def verdict(number: int, item: str, judged: str, printed: float | str, computed: Any) -> Verdict:
    claim = Claim(
        id=f"claim-{number}",
        item=item,
        quantity=f"Quantity {number} {HOSTILE if number == 3 else ''}",
        printed=printed,
        computation="something",
        arguments={"setup_cost": number / 10},
        tolerance=0.5,
        note="what a reader should know",
        program="row" if number == 2 else "",
    )
    finding = None if computed is None else Finding(computed, certificate="a bound")
    return Verdict("small-paper", claim, finding, judged, seconds=0.01 * number)


def reproduction() -> Reproduction:
    paper = Paper(
        name="small-paper",
        title="A small paper",
        citation="A & B <2020>",
        claim=[],
        uncovered=[Uncovered(item="Section 9", reason="its data are not public")],
        figure=[
            PrintedFigure(name="line", item="Figure 1", title="A line.", printed="The same.", alt="One line.")
        ],
        scenario=[PublishedScenario(name="circle-3", item="Section 6.1", claims=["claim-4"])],
    )
    verdicts = (
        verdict(1, "Table 1, a", "reproduced", 9.0, 9.1),
        verdict(2, "Table 1, b", "corrected", 10.0, 12.0),
        verdict(3, "Table 2, a", "refuted", "always", False),
        verdict(4, "Table 2, b", "reproduced", -1e-3, -1e-3),
        verdict(5, "Proposition 1", "failed", 2.0, None),
    )
    with style.settings():
        figure = style.figure(2.0)
        figure.subplots().plot([0, 1], [0, 1])
    beyond = Beyond(
        tables={
            "more-numbers": pd.DataFrame({"x": [1.0], "y": ["<b>"]}),
            "many-rows": pd.DataFrame({"x": range(200)}),
        },
        figures={"line": figure},
        programs={"row": economy("case1", 0.1, marketplaces=1)},
    )
    return Reproduction(paper, verdicts, beyond)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    manifest = json.loads(MANIFEST)
    for name in ("manifest.json", "verdicts.json", "verdicts.csv"):
        (place / name).write_text(json.dumps(manifest), encoding="utf-8")
    write_pages(place, [reproduction()], manifest, "small-paper")
    return place


class _Page(HTMLParser):
    """Collect tags and links; complain about tags closed in the wrong order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.identifiers: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.links += [value for name, value in attrs if name in {"href", "src"} and value]
        self.identifiers += [value for name, value in attrs if name == "id" and value]
        if tag == "img":
            self.images.append(named)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", ["index.html", "small-paper.html"])
def test_pages_need_nothing_from_anywhere(folder: Path, name: str) -> None:
    page = _Page(folder / name)
    text = (folder / name).read_text(encoding="utf-8")
    for link in page.links:
        file = link.partition("#")[0]
        assert not file or (folder / file).is_file(), link
    assert "http" not in text
    assert "@import" not in text
    assert HOSTILE not in text
    assert len(set(page.identifiers)) == len(page.identifiers)
    assert "prefers-color-scheme: dark" in text


def test_links_lead_to_what_the_page_can_choose(folder: Path) -> None:
    links = [link for link in _Page(folder / "index.html").links if "#" in link]
    assert "small-paper.html#group=Table%202&verdict=not%20as%20printed" in links
    assert "small-paper.html#not-computed" in links
    page = _Page(folder / "small-paper.html")
    assert {"claim-1", "claim-5", "not-computed", "figure-line"} <= set(page.identifiers)


def test_figures_have_a_text_for_those_who_cannot_see(folder: Path) -> None:
    images = _Page(folder / "small-paper.html").images
    assert [image["alt"] for image in images] == ["One line."]
    assert images[0]["src"] == "small-paper/line.svg"
    assert (folder / "small-paper" / "line.png").is_file()
    assert (folder / "small-paper" / "more-numbers.csv").is_file()


def test_claims_lead_to_scenarios_and_programs(folder: Path) -> None:
    page = (folder / "small-paper.html").read_text(encoding="utf-8")
    for number, links in {2: ["small-paper/row.gms"], 4: ["small-paper/circle-3.toml"], 5: []}.items():
        row = page.partition(f'<tr id="claim-{number}"')[2].partition("</tr>")[0]
        assert re.findall(r'href="([^"]+)"', row)[:1] == links
    assert (folder / "small-paper" / "circle-3.toml").read_text(encoding="utf-8").startswith("# Circle of 3")
    assert "Variables" in (folder / "small-paper" / "circle-3.gms").read_text(encoding="utf-8").title()


def test_of_long_tables_the_page_shows_the_first_rows(folder: Path) -> None:
    text = (folder / "small-paper.html").read_text(encoding="utf-8")
    assert "The first 30 of 200 rows" in text
    assert "<td>29</td>" in text
    assert "<td>30</td>" not in text
    assert len(pd.read_csv(folder / "small-paper" / "many-rows.csv")) == 200


def test_two_papers_with_figures_of_one_name(tmp_path: Path) -> None:
    manifest = json.loads(MANIFEST) | {"quick": True}
    first = reproduction()
    second = replace(first, paper=first.paper.model_copy(update={"name": "other-paper"}))
    write_pages(tmp_path, [first, second], manifest, "all")
    for paper in ("small-paper", "other-paper"):
        page = _Page(tmp_path / f"{paper}.html")
        assert [image["src"] for image in page.images] == [f"{paper}/line.svg"]
        assert (tmp_path / paper / "line.svg").is_file()
        assert not (tmp_path / paper / "circle-3.gms").exists()  # not in a quick run


@pytest.mark.parametrize("paper", papers())
def test_scenarios_and_their_claims_exist(paper: str) -> None:
    read = read_paper(paper)
    known = {claim.id for claim in read.claim}
    assert read.scenario
    for entry in read.scenario:
        assert entry.name in shipped_scenarios()
        assert set(entry.claims) <= known


def test_a_row_says_how_it_was_computed(folder: Path) -> None:
    text = (folder / "small-paper.html").read_text(encoding="utf-8")
    for words in (
        "agora reproduce small-paper --claim claim-2",
        "setup_cost = 0.2",
        "Checked by: a bound",
        "What a reader should know.",
        "does not hold",
        "its data are not public",
        "A &amp; B &lt;2020&gt;",
    ):
        assert words in text


# --- in a browser --------------------------------------------------------------------------------


def test_two_clicks_from_the_index_to_what_is_wrong_in_a_table(browser: Any, folder: Path) -> None:
    open_page(browser, folder / "index.html")
    browser.find_element("partial link text", "Table 2").click()
    assert shown_rows(browser) == ["claim-3"]
    assert browser.find_element("id", "shown").text == "1 of 5 claims"
    browser.find_element("css selector", "#claim-3 summary").click()
    assert "agora reproduce small-paper --claim claim-3" in browser.find_element("id", "claim-3").text
    assert browser.get_log("browser") == []


def test_claims_can_be_filtered(browser: Any, folder: Path) -> None:
    open_page(browser, folder / "small-paper.html")
    assert len(shown_rows(browser)) == 5
    browser.find_element("css selector", 'button[data-verdict="reproduced"]').click()
    assert shown_rows(browser) == ["claim-1", "claim-4"]
    assert browser.current_url.endswith("#verdict=reproduced")
    browser.find_element("css selector", "#words").send_keys("table 2")
    assert shown_rows(browser) == ["claim-4"]
    browser.back()
    open_page(browser, folder / "small-paper.html", "#group=Table%201")
    assert shown_rows(browser) == ["claim-1", "claim-2"]
    open_page(browser, folder / "small-paper.html", "#verdict=unheard&group=unheard")
    assert len(shown_rows(browser)) == 5
    assert browser.get_log("browser") == []


def test_claims_can_be_sorted_by_number(browser: Any, folder: Path) -> None:
    open_page(browser, folder / "small-paper.html")
    head = browser.find_elements("css selector", ".claims thead th")[2]
    head.find_element("css selector", "button").click()
    assert shown_rows(browser) == ["claim-4", "claim-5", "claim-1", "claim-2", "claim-3"]
    assert head.get_attribute("aria-sort") == "ascending"
    head.find_element("css selector", "button").click()
    assert shown_rows(browser)[-1] == "claim-4"
    assert browser.get_log("browser") == []


def test_tables_beyond_the_printed_can_be_sorted(browser: Any, folder: Path) -> None:
    open_page(browser, folder / "small-paper.html")
    table = browser.find_elements("css selector", "table.plain")[1]
    for last in ("29", "0"):  # upwards, as it is; then downwards
        table.find_element("css selector", "thead button").click()
        assert table.find_elements("css selector", "tbody tr")[-1].text == last
    assert shown_rows(browser) == [f"claim-{number}" for number in range(1, 6)]
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("name", ["index.html", "small-paper.html"])
def test_pages_fit_a_phone(browser: Any, folder: Path, name: str) -> None:
    narrow = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
    try:
        open_page(browser, folder / name)
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= 390
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

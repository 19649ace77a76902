"""Convergence of sectors: coefficients that are known, the shipped synthetic panel, bad panels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import agora
from makers import complaint

from agora.data.sectors import read_panel, shipped_panels
from agora.runners.studies.convergence import ConvergenceReport, convergence
from agora.runners.studies.synthetic_panel import synthetic_panel


def panel(beta: float, seed: int = 1, noise: float = 0.0, sectors: int = 60, years: int = 8) -> pd.DataFrame:
    """Return profit rates that close a share −β of their distance to .1 a year; productivity that wanders."""
    random = np.random.default_rng(seed)
    rate, product = random.normal(0.1, 0.05, sectors), random.normal(0.0, 0.3, sectors)
    rows = []
    for year in range(years):
        for k in range(sectors):
            rows.append((f"s{k}", 2000 + year, 1.0, rate[k], float(np.exp(product[k]))))
        rate = rate + beta * (rate - 0.1) + random.normal(0.0, noise, sectors)
        product = product + random.normal(0.0, 0.02, sectors)
    return pd.DataFrame(rows, columns=["sector", "year", "firms", "profit_rate", "productivity"])


def row(report: ConvergenceReport, quantity: str, kind: str) -> pd.Series[Any]:
    table = report.regressions
    return table[(table["quantity"] == quantity) & (table["kind"] == kind)].iloc[0]


def test_exact_convergence_is_found_exactly() -> None:
    report = convergence(panel(-0.3))
    assert row(report, "profit_rate", "beta")["coefficient"] == pytest.approx(-0.3, abs=1e-10)
    assert row(report, "profit_rate", "sigma")["coefficient"] == pytest.approx(np.log(0.7), abs=1e-10)
    long = (0.7**7 - 1) / 7
    assert row(report, "profit_rate", "beta-long")["coefficient"] == pytest.approx(long, abs=1e-10)
    assert report.converges("profit_rate")
    assert not report.converges("productivity")


def test_confidence_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    inside = []
    for seed in range(60):
        found = row(
            convergence(panel(-0.3, seed, noise=0.01, sectors=30, years=5), level=0.9), "profit_rate", "beta"
        )
        inside.append(found["low"] <= -0.3 <= found["high"])
    assert 0.75 <= np.mean(inside) <= 1.0


def test_divergence_is_no_convergence() -> None:
    report = convergence(panel(0.2))
    assert row(report, "profit_rate", "sigma")["coefficient"] == pytest.approx(np.log(1.2), abs=1e-10)
    assert not report.converges("profit_rate")


def test_scale_and_order_do_not_matter() -> None:
    first = convergence(panel(-0.3, noise=0.01))
    other = panel(-0.3, noise=0.01).sample(frac=1.0, random_state=3)
    other["productivity"] *= 100.0
    other["profit_rate"] *= 10.0
    again = convergence(other)
    for column in ("coefficient", "low", "high", "p_value"):
        assert again.regressions[column].to_numpy() == pytest.approx(
            first.regressions[column].to_numpy(), rel=1e-6
        )


def test_the_shipped_panel_is_synthetic_and_shows_what_the_paper_finds() -> None:
    assert list(shipped_panels()) == ["synthetic-sectors"]
    text = shipped_panels()["synthetic-sectors"].read_text(encoding="utf-8")
    assert text.startswith("# Synthetic")
    shipped, made = read_panel("synthetic-sectors"), synthetic_panel()
    for column in ("firms", "profit_rate", "productivity"):
        assert shipped[column].to_numpy() == pytest.approx(made[column].to_numpy(), abs=2e-6)
    report = convergence(shipped)
    assert report.converges("profit_rate")
    assert not report.converges("productivity")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.drop(columns="firms"), "column firms is missing, but must be in the panel"),
        (lambda t: t.assign(firms=-1.0), "firms in row 1 is -1.0, but must be a finite number > 0."),
        (lambda t: t.assign(profit_rate=np.nan), "profit_rate in row 1 is nan, but must be a finite number."),
        (lambda t: t.assign(productivity="high"), "productivity in row 1 is 'high'"),
        (lambda t: t.assign(year=2000.5), "year in row 1 is 2000.5, but must be a whole number."),
        (lambda t: pd.concat([t, t.head(1)]), "one row a sector and year"),
        (lambda t: t.iloc[1:], "balanced: all 8 years"),
        (lambda t: t[t["year"] < 2002], "3 sectors or more in 3 years or more"),
        (lambda t: t.assign(profit_rate=0.1), "different between sectors in every year"),
    ],
)
def test_bad_panels_get_one_sentence(change: Any, sentence: str) -> None:
    said = complaint(convergence, change(panel(-0.3)))
    assert sentence in said
    assert "\n" not in said


def test_a_bad_file_is_told_with_its_line(tmp_path: Path) -> None:
    table = panel(-0.3).astype({"firms": object})
    table.loc[3, "firms"] = "0,5"
    (tmp_path / "p.csv").write_text("# ours\n\n" + table.to_csv(index=False), encoding="utf-8")
    assert complaint(read_panel, tmp_path / "p.csv") == (
        "firms in line 7 of p.csv is '0,5', but must be a finite number > 0."
    )


def test_the_command(tmp_path: Path) -> None:
    run = agora("convergence", "synthetic-sectors", "--json", "--out", "out", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["converges"] == {"profit_rate": True, "productivity": False}
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"regressions.csv", "dispersion.parquet", "convergence.png", "manifest.json"} <= written
    bad = agora("convergence", "nowhere.csv", folder=tmp_path)
    assert bad.returncode == 2
    assert "synthetic-sectors" in bad.stderr
    assert bad.stderr.strip().count("\n") == 0

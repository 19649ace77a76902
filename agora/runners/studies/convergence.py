r"""Do sectors converge? σ- and β-convergence of profit rates and of labour productivity in a panel.

σ-convergence: the dispersion s_t over sectors falls, :math:`\log s_t = a + b t + u_t` with b < 0.
β-convergence: who is ahead falls back, :math:`x_{i,t+1} - x_{i,t} = a_t + \beta x_{it} + u_{it}` with β < 0,
errors clustered by sector (Barro and Sala-i-Martin 1992). Profit rates are taken as they are, productivity in
logarithms. β < 0 alone may be regression to the mean; sectors converge if both are significantly negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from agora.data.checks import InputError, finite
from agora.data.sectors import check_panel
from agora.runners.records.run_folder import write_folder
from agora.typing import Vector

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUANTITIES = {"profit_rate": "profit rate", "productivity": "log labour productivity"}


@dataclass(frozen=True)
class ConvergenceReport:
    """Regressions of a panel.

    Attributes
    ----------
    regressions : DataFrame
        One row a quantity and kind (``sigma``, ``beta``, ``beta-long``, from the first year to the last):
        coefficient per year, standard error, ends of the confidence interval, p-value, observations, R²,
        whether it is significantly negative.
    dispersion : DataFrame
        Standard deviation over sectors by year, a column a quantity.
    level : float
        Of the confidence intervals.
    """

    regressions: pd.DataFrame
    dispersion: pd.DataFrame
    level: float

    def converges(self, quantity: str) -> bool:
        """Whether dispersion falls and leaders fall back, both significantly."""
        rows = self.regressions[self.regressions["quantity"] == quantity].set_index("kind")
        return bool(rows.loc["sigma", "negative"] and rows.loc["beta", "negative"])

    def record(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "level": self.level,
            "converges": {name: self.converges(name) for name in QUANTITIES},
            "regressions": self.regressions.to_dict(orient="records"),
            "dispersion": self.dispersion.to_dict(orient="records"),
        }


def convergence(panel: pd.DataFrame, *, level: float = 0.95) -> ConvergenceReport:
    """Test a panel of sectors for σ- and β-convergence of profit rates and labour productivity.

    Parameters
    ----------
    panel : DataFrame
        Columns sector, year, firms, profit_rate, productivity; see `agora.data.sectors.check_panel`.
    level : float
        Of the confidence intervals, between 0 and 1.

    Raises
    ------
    InputError
        For a panel that is not valid.
    """
    chosen = finite("level", level, "a number > 0 and < 1")
    if not 0 < chosen < 1:
        raise InputError("level", level, "a number > 0 and < 1")
    checked = check_panel(panel)
    years = np.sort(checked["year"].unique())
    rows: list[dict[str, Any]] = []
    dispersion = pd.DataFrame({"year": years})
    for name in QUANTITIES:
        values = checked.pivot(index="sector", columns="year", values=name).to_numpy(dtype=float)
        values = np.log(values) if name == "productivity" else values
        spread = values.std(axis=0, ddof=1)
        if not spread.min() > 1e-12 * np.abs(values).max():
            raise InputError(name, "the same in all sectors", "different between sectors in every year")
        dispersion[name] = spread
        rows += [
            {"quantity": name, **_sigma(years, spread, chosen)},
            {"quantity": name, **_beta(years, values, chosen)},
            {"quantity": name, **_long_beta(years, values, chosen)},
        ]
    return ConvergenceReport(pd.DataFrame(rows), dispersion, chosen)


def _sigma(years: Vector, spread: Vector, level: float) -> dict[str, Any]:
    """Regress the logarithm of the dispersion on the year."""
    import statsmodels.api as sm

    time = np.column_stack([np.ones(len(years)), years - years[0]])
    return _row("sigma", sm.OLS(np.log(spread), time).fit(), level)


def _beta(years: Vector, values: Vector, level: float) -> dict[str, Any]:
    """Regress yearly changes on levels, with effects of the year, errors clustered by sector."""
    import statsmodels.api as sm

    sectors, gaps = len(values), np.diff(years)
    change = (np.diff(values, axis=1) / gaps).ravel()
    before = values[:, :-1].ravel()
    effects = np.tile(np.eye(len(gaps)), (sectors, 1))
    groups = np.repeat(np.arange(sectors), len(gaps))
    fitted = sm.OLS(change, np.column_stack([effects, before])).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    return _row("beta", fitted, level)


def _long_beta(years: Vector, values: Vector, level: float) -> dict[str, Any]:
    """Regress the mean yearly change from the first to the last year on the first, robust errors."""
    import statsmodels.api as sm

    change = (values[:, -1] - values[:, 0]) / (years[-1] - years[0])
    design = np.column_stack([np.ones(len(values)), values[:, 0]])
    return _row("beta-long", sm.OLS(change, design).fit(cov_type="HC3", use_t=True), level)


def _row(kind: str, fitted: Any, level: float) -> dict[str, Any]:
    low, high = np.asarray(fitted.conf_int(alpha=1 - level))[-1]
    return {
        "kind": kind,
        "coefficient": float(fitted.params[-1]),
        "standard_error": float(fitted.bse[-1]),
        "low": float(low),
        "high": float(high),
        "p_value": float(fitted.pvalues[-1]),
        "observations": int(fitted.nobs),
        "r_squared": float(fitted.rsquared),
        "negative": bool(high < 0),
    }


def write_report(report: ConvergenceReport, folder: Path) -> None:
    """Write both tables, the figure and a manifest into a run folder, whole or not at all."""
    tables = {"regressions": report.regressions, "dispersion": report.dispersion}
    write_folder(report.record(), folder, tables, {"convergence": partial(draw_convergence, report)})


def draw_convergence(report: ConvergenceReport) -> Figure:
    """Draw the dispersion over sectors by year, relative to the first year."""
    from agora.runners.figures import style

    looks: tuple[dict[str, Any], ...] = (
        {"color": style.FIRMS, "linewidth": 2.6},
        {"color": style.WAGES, "linewidth": 2.0, "linestyle": "--"},
    )
    with style.drawing(3.6) as figure:
        axes = figure.subplots()
        for (name, label), look in zip(QUANTITIES.items(), looks, strict=True):
            spread = report.dispersion[name].to_numpy(dtype=float)
            axes.plot(report.dispersion["year"], spread / spread[0], marker="o", label=label, **look)
        axes.set_xticks(report.dispersion["year"].to_numpy())
        axes.set_ylim(bottom=0.0)
        axes.set(xlabel="year", ylabel="dispersion over sectors\n(first year = 1)")
        axes.grid(axis="y", color=style.GUIDES, linewidth=0.8)
        axes.legend(loc="best")
    return figure

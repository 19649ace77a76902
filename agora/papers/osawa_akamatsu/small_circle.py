"""The circle and its city of four cells: figures 3 and A.1 to A.3."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from agora.methods.city.firms_game import FirmsGame
from agora.methods.city.vertex_enumeration import local_maximisers
from agora.papers.osawa_akamatsu.cities import ANY_COST, circle_cells, decay_on_circle, firms_of, parts_of
from agora.papers.osawa_akamatsu.landscapes import MAXIMISER, draw_levels
from agora.runners.figures import style
from agora.typing import Vector

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PATTERNS: dict[str, Vector] = {
    "1111": firms_of((1, 1, 1, 1)),
    "2200": firms_of((2, 2, 0, 0)),
    "2020": firms_of((2, 0, 2, 0)),
    "2101": firms_of((2, 1, 0, 1)),
    "2110": firms_of((2, 1, 1, 0)),
}
"""Proposition A.1's m̄, m̂¹, m̂², m̃¹ and m̃², up to symmetry, by their multiples of m̄."""


def maximisers_named(delta: float, cost: float) -> tuple[str, ...]:
    """Return which of the five patterns are strict local maximisers."""
    game = FirmsGame(circle_cells(4, decay_on_circle(4, delta))(cost))
    result = local_maximisers(game, np.array(list(PATTERNS.values())))
    return tuple(
        name
        for name, firms in PATTERNS.items()
        if any(np.abs(state.firms - firms).max() < 1e-9 for state in result)
    )


def draw_circle() -> Figure:
    """Draw figure 3: cells of the same size on a circle of length 1."""
    network = circle_cells(8, ANY_COST)(ANY_COST).network
    with style.drawing(3.2) as figure:
        axes = figure.subplots()
        turn = np.linspace(0, 2 * np.pi, 200)
        axes.plot(np.cos(turn), np.sin(turn), color=style.INK, linewidth=1)
        for k, land in enumerate(network.land.tolist()):
            angle = np.pi / 2 - 2 * np.pi * k / network.number
            x, y = np.cos(angle), np.sin(angle)
            axes.plot(
                x, y, "o", markersize=240 * land, color="white", markeredgecolor=style.INK, clip_on=False
            )
            axes.text(x, y, str(k + 1), ha="center", va="center", fontsize=style.TEXT)
        length = float(network.lengths[0])
        axes.text(0, 0, f"I = 8\na = {land:g}\nneighbours {length:g} apart", ha="center", va="center",
                  fontsize=style.SMALL)  # fmt: skip
        axes.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal")
        axes.set_axis_off()
    return figure


LIMITS = np.array(
    [
        *np.hstack([-np.eye(4), np.zeros((4, 1))]),  # m_i ≥ 0
        *np.hstack([np.eye(4), np.full((4, 1), -2.0)]),  # m_i ≤ a = 2 m̄
        *([-1.0, *(np.eye(3)[k]), 0.0] for k in range(3)),  # m_1 ≥ m_2, m_3, m_4
        [0.0, -1.0, 0.0, 1.0, 0.0],  # m_2 ≥ m_4
        [-1.0, 0.0, -1.0, 0.0, 2.0],  # m_1 + m_3 ≥ 2 m̄
    ]
)
"""(A.5) and 0 ≤ m ≤ a, in multiples of m̄: rows c with c_1 m_1 + … + c_4 m_4 + c_5 ≤ 0, beside Σ m = 4."""
AXES = np.array([[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0], [1.0, -1.0, 1.0, -1.0]])
"""m_1 − m_3, m_2 − m_4, m_1 + m_3 − m_2 − m_4."""


def remaining_corners() -> Vector:
    """Return the corners of ℳ′, (A.5), in multiples of m̄ (N, 4)."""
    corners = []
    for chosen in itertools.combinations(range(len(LIMITS)), 3):
        rows = np.vstack([LIMITS[list(chosen), :4], np.ones(4)])
        if abs(np.linalg.det(rows)) > 1e-9:
            corner = np.linalg.solve(rows, np.append(-LIMITS[list(chosen), 4], 4.0))
            if (LIMITS[:, :4] @ corner + LIMITS[:, 4] <= 1e-9).all():
                corners.append(np.round(corner, 9) + 0.0)
    return np.unique(corners, axis=0)


def draw_polyhedron() -> Figure:
    """Draw figure A.1: the polyhedron ℳ′ of (A.5) with the patterns of Proposition A.1."""
    from scipy.spatial import ConvexHull

    corners = remaining_corners() @ AXES.T
    hull = ConvexHull(corners)
    with style.settings():
        figure = style.figure(5.0)
        axes = figure.add_subplot(projection="3d", computed_zorder=False)
        # not before: matplotlib's projections must be loaded first
        from mpl_toolkits.mplot3d.art3d import Poly3DCollection  # type: ignore[import-untyped]

        faces: dict[tuple[float, ...], set[int]] = {}
        for triangle, plane in zip(hull.simplices, hull.equations, strict=True):
            faces.setdefault(tuple(np.round(plane, 6)), set()).update(triangle.tolist())
        for plane, members in faces.items():
            points = corners[sorted(members)]
            middle = points.mean(axis=0)
            first = points[0] - middle
            second = np.cross(plane[:3], first)
            around = np.argsort(np.arctan2((points - middle) @ second, (points - middle) @ first))
            face = Poly3DCollection(
                [points[around]], facecolor=style.HOUSEHOLDS, edgecolor=style.INK, alpha=0.2
            )
            axes.add_collection3d(face)
        for name, firms in PATTERNS.items():
            x, y, z = AXES @ (firms * 8)
            axes.plot([x], [y], [z], markersize=7, **{**MAXIMISER, "zorder": 5})
            axes.text(x, y, z + 0.3, name, horizontalalignment="center", fontsize=style.TEXT, zorder=6)
        axes.set(xticks=(0, 1, 2), yticks=(0, 1, 2), zticks=(0, 2, 4))
        axes.set_xlabel("$m_1 - m_3$", fontsize=style.SMALL)
        axes.set_ylabel("$m_2 - m_4$", fontsize=style.SMALL)
        axes.set_zlabel("$m_1 + m_3 - m_2 - m_4$", fontsize=style.SMALL)
        axes.tick_params(labelsize=style.SMALL)
        axes.view_init(elev=18, azim=-60)
        axes.set_box_aspect((1, 1, 0.9), zoom=0.85)
    return figure


def draw_triangle() -> Figure:
    """Draw figure A.2: g over the triangle spanned by m̄, m̂¹ and m̂² for four values of t, δ = 0.1."""
    from matplotlib.tri import Triangulation

    delta, number = 0.1, 48
    corners = np.array([PATTERNS[name] for name in ("2020", "2200", "1111")])
    locations = np.array([(0.0, 0.0), (1.0, 0.0), (0.5, 0.87)])
    counts = [(i, j, number - i - j) for i in range(number + 1) for j in range(number + 1 - i)]
    shares = np.array(counts) / number
    firms, points = shares @ corners, shares @ locations
    made, commuting = parts_of(circle_cells(4, decay_on_circle(4, delta)), firms)
    triangles = Triangulation(points[:, 0], points[:, 1])
    with style.drawing(5.0) as figure:
        for axes, cost in zip(figure.subplots(2, 2).ravel(), (0.1, 0.3, 0.45, 0.55), strict=True):
            draw_levels(axes, triangles, made - cost * commuting, 0.4)
            best = maximisers_named(delta, cost)
            for (x, y), name in zip(locations, ("2020", "2200", "1111"), strict=True):
                if name in best:
                    axes.plot(x, y, markersize=8, clip_on=False, zorder=4, **MAXIMISER)
                side = -0.1 if y == 0 else 0.07
                axes.text(x, y + side, name, ha="center", va="center", fontsize=style.TEXT)
            axes.set_title(f"t = {cost:g}", fontsize=style.TEXT, y=1.04)
            axes.set(xlim=(-0.1, 1.1), ylim=(-0.15, 0.95), aspect="equal")
            axes.set_axis_off()
    return figure


def draw_partition() -> Figure:
    """Draw figure A.3: which patterns are local maximisers over the (δ, t) plane, and the global switch."""
    deltas, costs = np.linspace(0.01, 0.99, 34), np.linspace(0.008, 0.608, 41)
    result = [[maximisers_named(delta, cost)[1:] for delta in deltas] for cost in costs]
    kinds = sorted({names for row in result for names in row}, key=lambda names: (len(names), names))
    index = np.array([[kinds.index(names) for names in row] for row in result])
    with style.drawing(4.8) as figure:
        axes = figure.subplots()
        colours = ["#FFFFFF", *style.CATEGORIES][: len(kinds)]
        style.draw_kinds(axes, (deltas, costs), index, colours, alpha=0.85)
        fine = np.linspace(deltas[0], deltas[-1], 200)
        axes.plot(fine, (1 - fine**2) / 4, color=style.INK, linewidth=2)
        axes.set(xlabel="δ = exp(−τ/4)", ylabel="commuting cost t")
        entries = [
            style.patch(colour, ", ".join(("1111", *names)), edge=style.INK)
            for colour, names in zip(colours, kinds, strict=True)
        ]
        entries.append(style.line("t*: above, 1111 is global", color=style.INK, linewidth=2))  # type: ignore[arg-type]
        figure.legend(handles=entries, loc="outside lower center", ncols=3)
    return figure

"""Beyond the claims: the figures redrawn, with every equilibrium; certified maps; the price of anarchy."""

from __future__ import annotations

from agora.data.geographies import circle
from agora.methods.city.efficiency import worst_anarchy_map
from agora.papers.computations import Beyond, goes_beyond
from agora.papers.osawa_akamatsu import landscapes, many_cells, regions, small_circle


@goes_beyond("osawa-akamatsu")
def figures_and_map() -> Beyond:
    """Return the figures, and the global maximisers of 24 and 48 cells at every point of a grid of (τ, t)."""
    of_24, of_48 = (
        many_cells.certified_points(cells, *plane)
        for cells, plane in ((24, many_cells.PLANE_24), (48, many_cells.PLANE_48))
    )
    anarchy = worst_anarchy_map(circle(3), *(many_cells.listed(values) for values in many_cells.PLANE_3))
    return Beyond(
        tables={
            "anarchy-3": anarchy,
            "certified-points-24": of_24,
            "certified-48-by-decay": many_cells.certified_by_decay(of_48),
            "certified-points-48": of_48,
        },
        figures={
            "anarchy-3": landscapes.draw_anarchy(anarchy),
            "certified-24": regions.draw_certified(of_24, 24),
            "certified-48": regions.draw_certified(of_48, 48),
            "figure-1": landscapes.draw_snapshots(),
            "figure-2": landscapes.draw_two_cells(),
            "figure-3": small_circle.draw_circle(),
            "figure-4": landscapes.draw_parts(),
            "figure-5": landscapes.draw_equilibria(),
            "figure-6": landscapes.draw_basins(),
            "figure-7a-8": regions.draw_patterns(),
            "figure-7b": regions.draw_eight_cells(),
            "figure-9": regions.draw_many_cells(),
            "figure-a1": small_circle.draw_polyhedron(),
            "figure-a2": small_circle.draw_triangle(),
            "figure-a3": small_circle.draw_partition(),
            "figure-d4": landscapes.draw_excess_land(),
            "figure-d5": landscapes.draw_masses(),
            "figure-e6": regions.draw_relative_production(),
            "figure-e7": regions.draw_relative_potential(),
        },
    )

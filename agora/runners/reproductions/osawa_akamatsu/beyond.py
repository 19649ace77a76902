"""Beyond the claims: the figures redrawn, with every equilibrium; the certified map of 24 cells."""

from __future__ import annotations

from agora.runners.reproductions import Beyond, goes_beyond
from agora.runners.reproductions.osawa_akamatsu import landscapes, regions, small_circle


@goes_beyond("osawa-akamatsu")
def figures_and_map() -> Beyond:
    """Return the figures, and the global maximiser of 24 cells at every point of a grid of (τ, t)."""
    points = regions.certified_points(24, regions.MAP_DECAYS, regions.MAP_COSTS)
    return Beyond(
        tables={"certified-points-24": points},
        figures={
            "certified-24": regions.draw_certified(points, 24),
            "figure-2": landscapes.draw_two_cells(),
            "figure-4": landscapes.draw_parts(),
            "figure-5": landscapes.draw_equilibria(),
            "figure-6": landscapes.draw_basins(),
            "figure-7a-8": regions.draw_patterns(),
            "figure-7b": regions.draw_eight_cells(),
            "figure-9": regions.draw_many_cells(),
            "figure-a2": small_circle.draw_triangle(),
            "figure-a3": small_circle.draw_partition(),
            "figure-d4": landscapes.draw_excess_land(),
            "figure-d5": landscapes.draw_masses(),
            "figure-e6": regions.draw_relative_production(),
            "figure-e7": regions.draw_relative_potential(),
        },
    )

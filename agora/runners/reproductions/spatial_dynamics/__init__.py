"""Bahlali, Boucekkine & Petit (2026), slides: computations that check the static layer and the racetrack."""

from agora.runners.reproductions.spatial_dynamics import beyond, forces, game, multiplicity, static_layer

__all__ = ["beyond", "forces", "game", "multiplicity", "static_layer"]

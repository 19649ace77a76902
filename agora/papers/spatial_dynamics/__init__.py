"""Bahlali, Boucekkine & Petit (2026), slides: computations that check trade, the game and the racetrack."""

from agora.papers.spatial_dynamics import beyond, dynamics, forces, game, multiplicity, static_layer

__all__ = ["beyond", "dynamics", "forces", "game", "multiplicity", "static_layer"]

"""Bahlali, Boucekkine & Petit (2026), slides: computations that check trade, the game and the racetrack."""

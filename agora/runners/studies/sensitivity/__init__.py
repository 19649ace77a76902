"""Sensitivities of an answer: of one optimum, of a path of optima, and how far a parameter may go."""

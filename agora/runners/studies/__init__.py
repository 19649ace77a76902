"""Comparing answers: sensitivities, thresholds, phase diagrams, convergence of sectors."""

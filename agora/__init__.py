"""Agora: economic equilibria on space and networks as declarative programs.

The package has four rooms, and imports point one way:
``data`` (geographies, scenarios, published tables), ``formulations`` (cited pieces of algebra),
``models`` (published models), ``runners`` (solvers, certificates, records, the command line).
"""

__version__ = "0.1.0"

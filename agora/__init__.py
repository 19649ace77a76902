"""Agora: economic equilibria on space and networks as declarative programs.

The rooms of the package, from the ground up; imports point down only: ``data`` (geographies, scenarios,
checks) and ``solvers`` (HiGHS and IPOPT), ``formulations`` (cited pieces of algebra), ``models`` (what is
solved, and the definition of equilibrium), ``methods`` (how), ``runners`` (certificates, records, studies),
``papers`` (what is claimed, computed), ``cli`` (the commands). In each room every family of models, ``city``,
``marketplaces``, ``price_formation``, ``migration`` and ``sectors``, has a folder.
"""

from agora.moved import know_old_places

__version__ = "0.2.0"

know_old_places()

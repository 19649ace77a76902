"""A row's model, built from its content; rows on equal geographies share one checked graph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import networkx as nx

from agora.data.checks import InputError
from agora.data.scenarios import Scenario, scenario_from
from agora.models.model import Model
from agora.runners.solving import model_from

MOST_GEOGRAPHIES = 256
"""Geographies that a process keeps."""


class Rows:
    """Builds scenarios and models, and keeps the geographies they stand on."""

    def __init__(self) -> None:
        self._geographies: dict[str, nx.Graph | InputError] = {}

    def model(self, content: Mapping[str, Any], name: str, folder: Path) -> tuple[Scenario, Model]:
        """Return a row's scenario and model, or raise `InputError`."""
        table = content.get("geography")
        if not isinstance(table, Mapping):
            scenario = scenario_from(content, name=name, folder=folder)
            return scenario, model_from(scenario)
        rest = {key: value for key, value in content.items() if key != "geography"}
        bare = scenario_from(rest, name=name, folder=folder)
        key = f"{folder}\0{json.dumps(table, sort_keys=True, default=str)}"
        graph = self._geographies.get(key)
        if graph is None:
            graph = self._built(bare.model, table, name, folder)
        if isinstance(graph, InputError):
            self._keep(key, graph)
            raise graph
        scenario = Scenario(name, bare.model, graph, bare.parameters, bare.solve, content)
        model = model_from(scenario)
        self._keep(key, getattr(model, "geography", graph))
        return scenario, model

    def _built(self, model: str, table: Mapping[str, Any], name: str, folder: Path) -> nx.Graph | InputError:
        try:
            return scenario_from({"model": model, "geography": table}, name=name, folder=folder).geography
        except InputError as error:
            return error

    def _keep(self, key: str, graph: nx.Graph | InputError) -> None:
        self._geographies.setdefault(key, graph)
        if len(self._geographies) > MOST_GEOGRAPHIES:
            del self._geographies[next(iter(self._geographies))]

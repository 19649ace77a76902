"""What every method of the city says of its answer: how many centres it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agora.methods.method import Answer, AnyOptions, Method, Progress
from agora.models.city.fujita_ogawa import FujitaOgawa
from agora.models.city.tables import number_of_centres


def city_method(
    name: str, options: type[AnyOptions], solve: Callable[[FujitaOgawa, AnyOptions, Progress], Answer]
) -> Method[FujitaOgawa, AnyOptions]:
    """Return a method of the city, which counts the centres of its answer."""

    def run(model: FujitaOgawa, chosen: AnyOptions, progress: Progress) -> Answer:
        found = solve(model, chosen, progress)
        cells = found.tables["cells"]
        residents, employment = (
            cells[column].to_numpy(dtype=float) for column in ("residents", "employment")
        )
        centres = number_of_centres(model.network, residents, employment)
        return replace(found, facts={**found.facts, "centres": centres})

    return Method(name, options, run)

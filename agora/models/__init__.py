"""What is solved, in economic words: one published model a file."""

from agora.models.commuting import CommutingMarket
from agora.models.equilibrium import Certificate, Condition, Model, ModelCard, Solution, price, worst_case
from agora.models.fujita_ogawa import FujitaOgawa
from agora.models.spatial import SpatialModel

__all__ = [
    "Certificate",
    "CommutingMarket",
    "Condition",
    "FujitaOgawa",
    "Model",
    "ModelCard",
    "Solution",
    "SpatialModel",
    "price",
    "worst_case",
]

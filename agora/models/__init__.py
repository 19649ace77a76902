"""What is solved, in economic words: one published model a file."""

from agora.models.equilibrium import Certificate, Condition, Model, ModelCard, Solution, price, worst_case
from agora.models.fujita_ogawa import FujitaOgawa

__all__ = [
    "Certificate",
    "Condition",
    "FujitaOgawa",
    "Model",
    "ModelCard",
    "Solution",
    "price",
    "worst_case",
]

"""What is solved, in economic words: one published model a file."""

from agora.models.coalition import CoalitionTest
from agora.models.commuting import CommutingMarket
from agora.models.equilibrium import Certificate, Condition, Model, ModelCard, Solution, price, worst_case
from agora.models.fujita_ogawa import FujitaOgawa
from agora.models.graph_game import GraphGame
from agora.models.invisible_hand import InvisibleHand, UnstableExternality
from agora.models.marketplaces import Marketplaces
from agora.models.myopic_migration import MyopicMigration
from agora.models.price_formation import PriceFormation
from agora.models.short_run_competition import ShortRunCompetition
from agora.models.spatial import SpatialModel
from agora.models.spatial_game import SpatialGame
from agora.models.spatial_trade import SpatialTrade

__all__ = [
    "Certificate",
    "CoalitionTest",
    "CommutingMarket",
    "Condition",
    "FujitaOgawa",
    "GraphGame",
    "InvisibleHand",
    "Marketplaces",
    "Model",
    "ModelCard",
    "MyopicMigration",
    "PriceFormation",
    "ShortRunCompetition",
    "Solution",
    "SpatialGame",
    "SpatialModel",
    "SpatialTrade",
    "UnstableExternality",
    "price",
    "worst_case",
]

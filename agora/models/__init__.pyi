from .coalition import CoalitionTest
from .commuting import CommutingMarket
from .equilibrium import (
    Certificate,
    Condition,
    Model,
    ModelCard,
    Solution,
    price,
    worst_case,
)
from .fujita_ogawa import FujitaOgawa
from .graph_game import GraphGame
from .invisible_hand import InvisibleHand, UnstableExternality
from .marketplaces import Marketplaces
from .myopic_migration import MyopicMigration
from .price_formation import PriceFormation
from .short_run_competition import ShortRunCompetition
from .spatial import SpatialModel
from .spatial_game import SpatialGame
from .spatial_trade import SpatialTrade

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

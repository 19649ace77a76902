from .certificate import Certificate, Condition, Proof, worst_case
from .city.commuting import CommutingMarket
from .city.fujita_ogawa import FujitaOgawa
from .marketplaces.coalition import CoalitionTest
from .marketplaces.marketplaces import Marketplaces
from .migration.graph_game import GraphGame
from .migration.myopic import MyopicMigration
from .migration.spatial_game import SpatialGame
from .migration.spatial_trade import SpatialTrade
from .model import Model, ModelCard
from .price_formation.price_formation import PriceFormation
from .prices import price
from .sectors.invisible_hand import InvisibleHand, UnstableExternality
from .sectors.short_run import ShortRunCompetition
from .solution import Solution
from .spatial import SpatialModel
from .table_spec import Column, TableSpec

__all__ = [
    "Certificate",
    "CoalitionTest",
    "Column",
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
    "Proof",
    "ShortRunCompetition",
    "Solution",
    "SpatialGame",
    "SpatialModel",
    "SpatialTrade",
    "TableSpec",
    "UnstableExternality",
    "price",
    "worst_case",
]

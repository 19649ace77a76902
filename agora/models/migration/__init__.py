"""Models of trade, migration and spatial mean-field games."""

MODELS = {
    "graph-game": "graph_game:GraphGame",
    "myopic-migration": "myopic:MyopicMigration",
    "spatial-game": "spatial_game:SpatialGame",
    "spatial-trade": "spatial_trade:SpatialTrade",
}
"""Name on the card → module of this family and class."""

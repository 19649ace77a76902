"""Pictures of trade, migration and spatial mean-field games."""

PICTURES = {
    "graph-game": "games:graph_pictures",
    "myopic-migration": {"migration": "trade:draw_myopic"},
    "spatial-game": "games:ring_pictures",
    "spatial-trade": {"trade": "trade:draw_trade"},
}
"""Model → picture of its solution → what draws it, in a module of this family; or what names them."""

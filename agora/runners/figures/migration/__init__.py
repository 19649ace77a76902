"""Pictures of trade, migration and spatial mean-field games."""

PICTURES = {
    "graph-game": "games:graph_pictures",
    "myopic-migration": "trade:myopic_pictures",
    "spatial-game": "games:ring_pictures",
    "spatial-trade": "trade:trade_pictures",
}
"""Model → what names the pictures of its solution, in a module of this family."""

"""Models of competition among sectors and the reallocation of firms."""

MODELS = {
    "invisible-hand": "invisible_hand:InvisibleHand",
    "short-run-competition": "short_run:ShortRunCompetition",
}
"""Name on the card → module of this family and class."""

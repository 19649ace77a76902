"""What a market in an asset is given: initial laws, supply, and costs of a state."""

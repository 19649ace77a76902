"""Price formation in a mean-field game (arXiv 2506.04169): its five cases, with true equilibria."""

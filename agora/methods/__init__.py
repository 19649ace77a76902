"""How a model is solved: a folder a family, a method a file."""

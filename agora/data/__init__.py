"""What the world gives: geographies, externalities, scenarios, published numbers.

Constructors and readers return plain `networkx` graphs with checked attributes:
node ``land``, optional ``x`` and ``y``; edge ``length``.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)

"""Papers and what they claim: a folder a paper, computations, verdicts, pages."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)

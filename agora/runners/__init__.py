"""Who does the work: certified solves, sweeps, studies, records, figures."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)

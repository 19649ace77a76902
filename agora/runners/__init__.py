"""Who does the work: solvers, methods, certificates, records, figures, the command line."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)

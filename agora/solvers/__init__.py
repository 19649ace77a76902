"""HiGHS and IPOPT: the only room that imports a solver."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)

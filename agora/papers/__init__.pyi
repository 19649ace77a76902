from .reproducing import reproduce

__all__ = ["reproduce"]

from .method import Answer, Method, Options, Proof, register

__all__ = ["Answer", "Method", "Options", "Proof", "register"]

"""HiGHS and IPOPT: the only room that imports a solver."""

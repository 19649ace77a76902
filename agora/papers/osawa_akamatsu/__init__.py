"""Osawa & Akamatsu (2019): computations that check its claims, by the part of the paper."""

"""Errors in the formulations that change no answer, each with the argument why."""

EQUIVALENT: dict[str, str] = {}

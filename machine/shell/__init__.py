"""Strings for other programs and for people: pure functions. Deliberately empty: the hot path imports through it."""

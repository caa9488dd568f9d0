"""Populations: types that evolve, and tournaments between policies."""

"""Mechanisms around a simultaneous game: mediation, contracts, sanctions, cheap talk."""

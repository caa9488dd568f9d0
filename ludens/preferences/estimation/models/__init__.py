"""Utility models that the estimator fits."""

"""Scenarios of the Moral Machine."""

"""Policies that other libraries trained."""

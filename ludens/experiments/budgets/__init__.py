"""Choices on budget sets, and how consistent they are."""

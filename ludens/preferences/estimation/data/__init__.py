"""Choices in numeric form, and the readers of tables of choices."""

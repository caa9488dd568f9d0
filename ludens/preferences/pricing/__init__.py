"""Preferences of firms in pricing markets."""

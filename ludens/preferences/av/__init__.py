"""Preferences in dilemmas of autonomous vehicles."""

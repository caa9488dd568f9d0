"""Policies for games that are trees."""

"""Strategies in repeated games: what each prescribes, and how frequent each is (SFEM)."""

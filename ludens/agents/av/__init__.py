"""Policies for dilemmas of autonomous vehicles and for the adoption game: oracles that know the rules."""

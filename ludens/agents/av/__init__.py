"""Policies for the autonomous-vehicle dilemma: oracles that know its rules, and how models are asked."""

"""The adoption game: a population chooses its car programs."""

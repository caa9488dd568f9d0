"""The autonomous-vehicle dilemma: judging it, playing it as a population, and the Moral Machine."""

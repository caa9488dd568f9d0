"""Games in which all players move at once, as data, and their environment."""

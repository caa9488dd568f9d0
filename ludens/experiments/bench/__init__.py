"""The benchmark of preferences: every question of the protocols, put to every policy."""

"""Maximum likelihood for one type of preferences, and its standard errors."""

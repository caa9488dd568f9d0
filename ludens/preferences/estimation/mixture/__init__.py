"""Types of subjects: finite mixtures of preferences, by maximum likelihood."""

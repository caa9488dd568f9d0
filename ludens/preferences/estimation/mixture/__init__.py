"""Types of preferences: finite mixtures fitted by EM."""

"""Games as trees, and what follows from a tree."""

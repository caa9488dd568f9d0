"""Tables of choices, and how they are read."""

"""Budget sets: choices between amounts for two people, in two states, or at two dates."""

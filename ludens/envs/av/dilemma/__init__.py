"""The dilemma of an autonomous vehicle, as surveys put it."""

"""The dilemma of an autonomous vehicle, as a survey."""

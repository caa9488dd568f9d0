"""Data sets of trajectories that an oracle labelled."""

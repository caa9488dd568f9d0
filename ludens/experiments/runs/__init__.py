"""Runs on disk: the store, the recorder, and the engine that plays episodes."""

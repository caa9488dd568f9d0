"""Diagnoses of parameters that the choices do not identify."""

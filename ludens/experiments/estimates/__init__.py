"""Preferences estimated from runs and tables: what policies' answers reveal, and the tables and figures of
it.
"""

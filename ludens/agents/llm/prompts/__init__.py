"""Prompts: templates that turn a turn into text."""

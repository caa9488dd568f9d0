"""Consistency of choices, before any parameter is estimated: budget sets, menus and repeated answers."""

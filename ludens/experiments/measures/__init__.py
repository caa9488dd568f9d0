"""Measures that several studies share: intervals, shares, costs."""

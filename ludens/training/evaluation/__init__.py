"""Before and after: what a model chooses on games it was not trained on, and what that says of its
preferences.
"""

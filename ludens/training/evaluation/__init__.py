"""Evaluation before and after tuning, on games that a model was not trained on."""

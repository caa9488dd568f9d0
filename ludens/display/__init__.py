"""What texts, tables and pictures are made of, in a terminal, in reports and in notebooks.

Nothing here knows what is shown: a game, a policy, a fit, a run. What others wrote (a model's reply, the name
of a policy) is always shown as text.
"""

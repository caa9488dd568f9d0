"""Studies: one idea behind every kind of experiment.

A study is a configuration and five answers: which episodes, how one is played, what is measured, what the
report shows, what the terminal shows. Everything else is written once: create, resume, extend, report,
show, export.
"""

"""Where a run is carried out: in this process, in several, or on the machines of a Ray cluster.

Every executor gives the same run, row by row: seeds are named by their place in the run, one process writes,
and an answer is kept before it is used.
"""

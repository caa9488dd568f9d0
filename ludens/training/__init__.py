"""Oracle-labelled turns as data sets, and models tuned on them."""

"""A package, and not only a folder, because installed libraries bring a package of this name (pyblp does)."""

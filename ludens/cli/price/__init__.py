"""`ludens price`: firms in a repeated pricing market."""

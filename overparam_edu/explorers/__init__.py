"""One file for each explorer, and the plots."""

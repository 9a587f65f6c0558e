"""Results of full-size runs, as data."""

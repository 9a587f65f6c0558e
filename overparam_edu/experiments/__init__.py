"""The talk's experiments on real data."""

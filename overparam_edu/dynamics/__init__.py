"""What is minimised, what the network is, and how it moves: NumPy arrays and closed forms."""

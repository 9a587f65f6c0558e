"""Pictures that move: scenes of precomputed numbers, and the player that shows them."""

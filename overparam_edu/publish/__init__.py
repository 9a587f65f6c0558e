"""Lessons as pages and on the projector."""

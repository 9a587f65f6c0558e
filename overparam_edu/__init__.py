"""Implicit acceleration by overparameterization, taught by moving pictures and checked proofs."""

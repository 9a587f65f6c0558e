"""The ledger: every claim of the talk, and a check of each that can fail."""

from overparam_edu.classroom.claims.ledger import CLAIMS, Claim, Ledger, Verdict, claims

__all__ = ["CLAIMS", "Claim", "Ledger", "Verdict", "claims"]

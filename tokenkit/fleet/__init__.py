"""Studies of whole fleets of tokens: what a verifier's policy costs, before anything is bought."""

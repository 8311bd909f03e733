"""Side by side with peers, ratios in one run: ``python -m benchmarks [--json]``."""

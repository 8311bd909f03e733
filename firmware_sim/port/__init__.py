"""Where a link meets the world."""

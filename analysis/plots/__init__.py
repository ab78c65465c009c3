"""Publication plots: each function takes results and returns a figure; nothing is computed here."""

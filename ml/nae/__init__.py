"""Training of normalized autoencoders: chains, objectives, collapse, and what a run shows of them."""

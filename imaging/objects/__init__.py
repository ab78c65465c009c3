"""Delphes ROOT files to lists of leptons, jets and missing E_T (double-autoencoder paper, section III)."""

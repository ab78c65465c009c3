"""Delphes ROOT files to sparse tracker, ECAL and HCAL images."""

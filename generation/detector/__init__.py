"""The embedded detector: a fast, vectorised model of what Delphes does."""

from generation.detector.card import DetectorCard, load_card
from generation.detector.output import Collection, DelphesEvents
from generation.detector.simulation import simulate

__all__ = ["Collection", "DelphesEvents", "DetectorCard", "load_card", "simulate"]

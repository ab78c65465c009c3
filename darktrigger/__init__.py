"""darktrigger: LHC anomaly detection from simulation to scores.

This package is the base layer that the four stages share (errors, configuration,
safe output files, provenance) and the command line on top of them. The stages
themselves are the packages ``generation``, ``imaging``, ``ml`` and ``analysis``;
data flows through them in that order only.
"""

__version__ = "0.1.0"

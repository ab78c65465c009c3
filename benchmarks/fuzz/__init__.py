"""Fuzzing of every kind of input: ``python -m benchmarks.fuzz KIND --cases 1000 --seed 1``."""

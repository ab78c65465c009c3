"""Simulated events: the stage before imaging."""

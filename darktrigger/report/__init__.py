"""A run as one HTML file that needs nothing but itself: ``darktrigger report``."""

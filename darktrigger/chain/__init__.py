"""The whole chain from one config: ``darktrigger run``."""

"""What ``darktrigger estimate`` computes: a trigger of two scores together with its background estimate."""

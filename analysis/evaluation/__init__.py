"""What ``darktrigger evaluate`` computes: the tables of the CoDAE paper for any number of trigger models."""

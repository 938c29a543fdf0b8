"""Pure functions from values to values; bytes of one rank only."""

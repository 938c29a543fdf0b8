"""Values: frozen, closed to unknown fields, no I/O."""

"""Tables of facts, each row with its source, read through one refusing loader."""

"""config.json -> Architecture, one reader a family."""

"""What a machine says of itself: driver, container engine, files, cluster; each part may be absent."""

"""What may be absent, slow or wrong: Hub, local files, driver, logs."""

"""The wizard: what a person at a terminal is asked, shown and offered before anything is written."""

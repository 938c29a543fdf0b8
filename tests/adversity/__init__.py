"""Long measurements of what an update can lose: see docs/explanation/reliability.md."""

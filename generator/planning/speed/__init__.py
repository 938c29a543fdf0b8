"""Step times and queues: what a rank reads and computes in a step, and how requests share the steps."""

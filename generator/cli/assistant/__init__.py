"""The planner as tools of an assistant: what each takes, how it is answered, and the server that offers them."""

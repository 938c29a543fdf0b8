"""doctor(): whether this host, or this cluster, can run the plan of a deployment."""

"""tune(): engine values searched by measuring the deployment's own server, from the plan on."""

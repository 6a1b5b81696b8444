"""The stacks, in the order in which `deploy` makes them: registry, data, migration, services, page."""

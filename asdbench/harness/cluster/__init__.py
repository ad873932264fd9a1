"""A plan on a Ray cluster: the same tasks, done by processes of other machines."""

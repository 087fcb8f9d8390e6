"""The verbs: one file each, from a project and arguments to a result. No printing, no parsing."""

"""Images that somebody brings into a cluster's nodes, and those that are there."""

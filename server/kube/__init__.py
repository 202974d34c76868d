"""Kubernetes API servers of ready clusters, as the database knows them."""

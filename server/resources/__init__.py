"""What is inside the clusters, kept fresh by watching, for as long as somebody looks."""

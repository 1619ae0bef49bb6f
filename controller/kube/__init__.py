"""The API server and the outside world, as the operator and as runners reach them. Knows nothing of decisions."""

"""Takes objects up, asks `core` what to do, and does it: queue, store, reconcilers, attempts, audit."""

"""The process: command line, kopf as the informer, probes, start and stop. The only place that knows kopf."""

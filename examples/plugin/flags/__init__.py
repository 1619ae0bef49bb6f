"""Action types for feature flags that are kept in a ConfigMap."""

"""What tests of the running operator share: its process, a stage to act on, a target for HTTP actions."""

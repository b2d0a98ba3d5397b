"""What workspace.yaml loads: one code location a discipline, so that each has its own process and its own owner."""

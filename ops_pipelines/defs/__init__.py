"""The user's space: one folder for each dataset, feature set and model, in defs.yaml and the team's own code."""

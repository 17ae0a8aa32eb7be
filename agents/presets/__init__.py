"""Settings of a run, one YAML file per world; `default.yaml` is for any other id."""

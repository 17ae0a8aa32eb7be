"""Grid worlds with MiniGrid's rules: one map of cells, one kernel, six families."""

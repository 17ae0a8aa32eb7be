"""What a run shows while it goes on: TensorBoard curves and progress."""

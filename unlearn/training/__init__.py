"""The training loop: gradients, checkpoints, callbacks, log, processes."""

"""Make forgeries whose truth is known: for training, for planted tests, for lessons."""

"""The benchmark of explanations: methods against forgeries whose place and time are known."""

"""From frame logits to one verdict per person and clip, or an abstention with its reason."""

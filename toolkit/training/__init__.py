"""Train SeamNet from folders of genuine faces."""

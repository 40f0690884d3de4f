"""Why: shares of frames and regions that add up to the verdict, and how far to trust them."""

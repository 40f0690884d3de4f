"""What is kept on disk: the cache, and dataclasses as JSON and arrays."""

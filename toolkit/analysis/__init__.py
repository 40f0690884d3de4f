"""The road from a clip to its report: walk it, keep its stages, try it on re-shares."""

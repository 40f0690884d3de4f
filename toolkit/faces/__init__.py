"""Faces: detection, mesh, pose, regions, crops, and tracks of persons."""

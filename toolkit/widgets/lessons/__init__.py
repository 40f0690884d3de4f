"""Panels of the lessons."""

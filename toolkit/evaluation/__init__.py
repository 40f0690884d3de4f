"""Measure: verdicts on labelled clips, and what an analysis costs."""

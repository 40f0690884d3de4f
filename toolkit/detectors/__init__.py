"""Detectors: one protocol, one bundled network, one file per adapter."""

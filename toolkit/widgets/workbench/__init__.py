"""The workbench and its parts."""

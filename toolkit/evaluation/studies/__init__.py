"""Studies that answer one question each; `python -m toolkit study` lists them."""

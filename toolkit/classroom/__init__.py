"""The app for a class: many browsers on one computer, each with files of its own.

`server` hands out seats and starts a kernel per page; `pool` holds the queue and the few processes
that analyse; `client` is what a kernel asks them with.
"""

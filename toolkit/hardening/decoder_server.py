"""Give out decoders by fork: ``python -I decoder_server.py DECODER SOCKET``.

A decoder spends most of its time importing; here that is done once, and each decoder is a copy of
this process that limits itself before it opens its file, as a decoder of its own does.

A request has three descriptors (the file, what it reads, what it writes) and names the command;
the answer is the number of the process. A request that names a process is answered with its status,
or with null while it runs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
from typing import Any


def main() -> None:
    """Serve until the other end is closed."""
    script, number = sys.argv[1:3]
    spec = importlib.util.spec_from_file_location("decoder", script)
    assert spec is not None
    assert spec.loader is not None
    decoder = importlib.util.module_from_spec(spec)
    sys.modules["decoder"] = decoder
    spec.loader.exec_module(decoder)
    with socket.socket(fileno=int(number)) as line:
        while True:
            text, descriptors, _, _ = socket.recv_fds(line, 4096, 3)
            if not text:
                return
            request = json.loads(text)
            if "ended" in request:
                pid, status = os.waitpid(request["ended"], os.WNOHANG)
                code = os.waitstatus_to_exitcode(status) if pid else None
                line.send(json.dumps(code).encode())
                continue
            child = os.fork()
            if not child:
                line.close()
                _decode(decoder, request["command"], *descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            line.send(json.dumps(child).encode())


def _decode(decoder: Any, command: str, file: int, source: int, sink: int) -> None:
    """Be a decoder, and end."""
    os.dup2(source, 0)
    os.dup2(sink, 1)
    os.close(source)
    os.close(sink)
    sys.argv = ["decoder", command, f"fd:{file}"]
    sys.stdin = os.fdopen(0)
    sys.stdout = os.fdopen(1, "w")
    code = 1
    try:
        code = decoder.main()
        sys.stdout.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()

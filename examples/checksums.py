"""Checksums of all files below a folder, made by as many processes as there are, on as many machines.

    python -m examples.checksums FOLDER > SHA256SUMS
    syncio slave examples.checksums:checksum --master http://127.0.0.1:7235       # once, or several times

A slave may be killed in the middle: another one does its work. `sha256sum --check` reads the output.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from syncio.interaction import Master


def checksum(path: str) -> str:
    """The work of a slave."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def main() -> None:
    """The master."""
    parser = argparse.ArgumentParser(prog="checksums", description="Checksums of all files below a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=7235)
    parser.add_argument("--slaves", type=int, default=1, help="wait for so many")
    parser.add_argument("--tolerance", type=float, default=17.0, help="seconds for which a slave may be silent")
    options = parser.parse_args()
    files = sorted(str(path) for path in options.folder.resolve().rglob("*") if path.is_file())
    with Master("127.0.0.1", options.port, options.tolerance, accept_slaves=True, status_page=True) as master:
        print(f"{len(files)} files; slaves can join, and be seen, at {master.my_address}", file=sys.stderr, flush=True)
        master.wait_for_slaves(options.slaves)
        for path, digest in zip(files, master.map(files, timeout=600, progress=True), strict=True):
            print(f"{digest}  {path}")


if __name__ == "__main__":
    main()

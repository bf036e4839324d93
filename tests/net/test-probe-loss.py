#!/usr/bin/env python3
"""Every case of the others again, with 5 % of all TCP segments lost: less may be known, nothing wrong may be proven."""
import importlib, sys

from lab import main

CASES = [c for name in ("test-probe-path", "test-probe-service", "test-probe-tls", "test-probe-two-way") for c in importlib.import_module(name).CASES]
CASES += importlib.import_module("test-probe-ports").SCANS

if __name__ == "__main__":
    sys.exit(main(CASES, loss=5))

"""Composition: the command line, the build, studies; the only importer of Prefect."""

import os

# Before torch is loaded: threads that spin while they wait made a small model five times slower on two busy cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

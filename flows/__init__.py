"""Composition: the command line, the build, studies; the only importer of Prefect."""

import os
import warnings

from schemas.loopback import spare_loopback

# Before torch is loaded: threads that spin while they wait made a small model five times slower on two busy cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Before a client is made, and inherited by processes: what speaks to this machine goes through no proxy.
spare_loopback(os.environ)
# PEFT 0.21 asks transformers 5.23 in a way that it will give up; nothing that a user could mend.
warnings.filterwarnings("ignore", message=".is_gradient_checkpointing. is deprecated", category=FutureWarning)

"""Composition: the command line, the build, studies; the only importer of Prefect."""

import os
import warnings

# Before torch is loaded: threads that spin while they wait made a small model five times slower on two busy cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# PEFT 0.21 asks transformers 5.23 in a way that it will give up; nothing that a user could mend.
warnings.filterwarnings("ignore", message=".is_gradient_checkpointing. is deprecated", category=FutureWarning)

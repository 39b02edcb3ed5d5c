"""What nearly every command imports, imported once a worker by the process whose forks tests/servers/forked.py starts.

Prefect itself is left out, for it reads its settings from the environment when it is imported.
"""

import accelerate
import cloudpickle
import datasets
import fastapi
import httpx
import jinja2
import pandas
import peft
import plotly.graph_objects
import scipy.stats
import torch
import transformers
import transformers.models.qwen3_vl.modeling_qwen3_vl
import transformers.models.qwen3_vl.processing_qwen3_vl

import flows.building.explorer
import flows.cli
import flows.evaluation.evaluate
import flows.experiments.study
import flows.experiments.unlearn_run
import flows.publish.publish
import flows.stages.stage_table
from flows.resources.responders import open_responder

__all__ = [
    "accelerate", "cloudpickle", "datasets", "fastapi", "flows", "httpx", "jinja2", "open_responder", "pandas", "peft",
    "plotly", "scipy", "torch", "transformers",
]  # fmt: skip

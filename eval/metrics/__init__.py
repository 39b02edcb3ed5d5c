"""Many scored rows to figures: means, the boundary metric, the bootstrap, seeds, failed answers."""

from eval.metrics.aggregate import METRICS, Metric
from schemas.records.evaluation import Prediction

__all__ = ["METRICS", "Metric", "Prediction"]

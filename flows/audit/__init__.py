"""Audits of a model: which routes are tried in the time there is, on the model, the target and a control."""

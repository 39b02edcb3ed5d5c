"""Memory: what a model and the steps of its training take, before and while they are carried out."""

"""The dataset card and what describes a published dataset: columns, Croissant, attribution."""

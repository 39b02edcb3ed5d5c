"""What packages hand each other: responders, annotators, sources, logs of replies."""

"""Guards round a responder: what is said instead of asking the model, or put before what it is asked."""

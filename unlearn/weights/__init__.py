"""What is done with weights themselves: where an adapter starts, what holds them, how runs are put together."""

"""What every stage of a build stands on: folders, keys, marks, batches, resuming."""

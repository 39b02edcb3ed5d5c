"""Where subjects, statements and pictures come from: one file per origin."""

"""Publishing to the Hub: the plan, the gate of a build, the upload."""

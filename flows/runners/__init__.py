"""Where shards run: Prefect on this machine, or Dask workers with shared storage."""

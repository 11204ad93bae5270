"""The roles in which nodes belong to an output transform, as node references of it."""

TABLE, RESULTS, CHART, SPREAD = (f"SpatialDiffusion.{name}" for name in ("table", "results", "chart", "spread"))
ROLES = (TABLE, RESULTS, CHART, SPREAD)

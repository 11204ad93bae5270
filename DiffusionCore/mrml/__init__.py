"""The only door to Slicer: nodes of the scene to values and back. Everything else in the package knows no Slicer."""

"""A host for panels of Slicer's scripted modules: Slicer's Qt, CTK and MRML widget API over PySide6 and slicer-core.

It stands where Slicer cannot be installed, so that the panels are tested as they will run there. Where the two differ
the host is the stricter one: what works here works in Slicer, and what it cannot do raises.
"""

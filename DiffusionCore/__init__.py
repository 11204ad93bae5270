"""DiffusionCore: registration and synthesis of 3D medical images by diffusion of transforms.

The package imports nothing heavy; torch is first imported by the part that needs it.
"""

__version__ = "0.1.0"

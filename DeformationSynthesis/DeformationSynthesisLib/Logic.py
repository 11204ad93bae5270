"""What the module DeformationSynthesis does, without a window: for scripts, tests and the panel."""

from __future__ import annotations

from typing import Any


class DeformationSynthesisLogic:
    """Deforms volume nodes. Holds no state: every call stands for itself."""

    def deform(self, inputVolume: Any, outputVolume: Any = None, strengthMm: float = 3.0, seed: int = 0) -> Any:
        """Write a deformed copy of ``inputVolume`` into ``outputVolume`` and return that node.

        The deformation is random, smooth and free of folds; its mean displacement is ``strengthMm``. The same ``seed``
        gives the same copy. Label maps keep their labels. An output that is not given is created.

        Raises:
            DiffusionCoreError: a volume that cannot be read, or written into; the text is for the user.
            ValueError: ``strengthMm`` is negative.
        """
        import torch

        from DiffusionCore.checks import DiffusionCoreError
        from DiffusionCore.deformation.strength import random_velocity
        from DiffusionCore.mrml.volumes import volume_from_node, volume_to_node
        from DiffusionCore.mrml.warping import warp

        if inputVolume is None:
            raise DiffusionCoreError("Choose a volume to deform.")
        if outputVolume is inputVolume:
            raise DiffusionCoreError(f'"{inputVolume.GetName()}" would overwrite itself. Choose another output.')
        if outputVolume is not None and outputVolume.GetParentTransformNode() is not None:
            raise DiffusionCoreError(
                f'"{outputVolume.GetName()}" lies under a transform and would be shown displaced. Take it out.'
            )
        volume = volume_from_node(inputVolume)
        velocity = random_velocity(volume.grid, strengthMm, generator=torch.Generator().manual_seed(seed))
        deformed = warp(inputVolume, volume, velocity, volume.grid)
        if outputVolume is None:
            scene, name = inputVolume.GetScene(), f"{inputVolume.GetName()} deformed"
            outputVolume = scene.AddNewNodeByClass(inputVolume.GetClassName(), scene.GenerateUniqueName(name))
        volume_to_node(deformed, outputVolume, display=inputVolume)
        return outputVolume

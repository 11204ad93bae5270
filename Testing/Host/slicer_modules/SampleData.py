"""The module SampleData of the host: what modules register here can be listed, loaded and asked for by name.

It has no data of its own. A source is one file or several, which come from their addresses into the cache of the scene
and are loaded from there; archives and scenes are not handled.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import ctk
import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget


def downloadSample(sampleName: str) -> Any:
    """Return the first node of the source of this name.

    Raises:
        IndexError: there is no such source, or nothing of it could be loaded.
    """
    return SampleDataLogic().downloadSample(sampleName)


def downloadSamples(sampleName: str) -> list[Any]:
    """Return the nodes of the source of this name."""
    return SampleDataLogic().downloadSamples(sampleName)


class SampleData(ScriptedLoadableModule):
    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = _("Sample Data")
        parent.categories = [_("Informatics")]


class SampleDataSource:
    """One named sample; of several files each argument is a list.

    Args:
        uris: the addresses, ``https:`` or ``file:``; needed even where ``customDownloader`` does the work.
        customDownloader: called with the source when its button is pressed, and nothing else is done then.
        loadFileTypes: as ``slicer.app.coreIOManager().fileType`` has them; None asks the ending of the name.

    Raises:
        ValueError: lists of different lengths.
    """

    def __init__(
        self,
        sampleName: str | None = None,
        sampleDescription: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        checksums: Any = None,
        loadFiles: Any = None,
        customDownloader: Any = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: Any = None,
        loadFileProperties: dict[str, Any] | None = None,
        loadFileType: Any = None,
    ) -> None:
        if loadFileType is not None and loadFileTypes is not None:
            raise ValueError("loadFileType is the old name of loadFileTypes: give one of them.")
        several = isinstance(uris, (list, tuple))
        count = len(uris) if several else 1
        types = loadFileTypes if loadFileTypes is not None else loadFileType
        self.sampleName = sampleName
        self.sampleDescription = sampleName if sampleDescription is None else sampleDescription
        self.customDownloader = customDownloader
        self.thumbnailFileName = thumbnailFileName
        self.loadFileProperties = dict(loadFileProperties or {})
        self.uris = uris if several else [uris]
        self.fileNames = fileNames if several else [fileNames]
        self.nodeNames = nodeNames if several and nodeNames is not None else [nodeNames] * count
        self.loadFiles = loadFiles if several and loadFiles is not None else [loadFiles] * count
        self.checksums = checksums if several and checksums is not None else [checksums] * count
        self.loadFileTypes = types if isinstance(types, (list, tuple)) else [types] * count
        if any(not isinstance(uri, str) for uri in self.uris):
            raise TypeError(f"Every sample needs an address, got {uris!r}.")
        lists = (self.fileNames, self.nodeNames, self.loadFiles, self.checksums, self.loadFileTypes)
        if any(len(values) != count for values in lists):
            raise ValueError(f"{sampleName}: {count} addresses, but {', '.join(str(len(values)) for values in lists)}.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SampleDataSource) and vars(self) == vars(other)

    __hash__ = None


class SampleDataLogic:
    """The sources of the application, by category."""

    def __init__(self, logMessage: Any = None) -> None:
        if logMessage is not None:
            self.logMessage = logMessage

    @staticmethod
    def registerCustomSampleDataCategory(category: str, title: str) -> None:
        """Give a category the title that the user sees."""
        _table("sampleDataSourceCategories").setdefault(category, {})["title"] = title

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        customDownloader: Any = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: Any = None,
        loadFiles: Any = None,
        loadFileProperties: dict[str, Any] | None = None,
        checksums: Any = None,
        loadFileType: Any = None,
    ) -> None:
        """Add a source, once; see ``SampleDataSource``."""
        source = SampleDataSource(
            sampleName=sampleName,
            uris=uris,
            fileNames=fileNames,
            nodeNames=nodeNames,
            checksums=checksums,
            loadFiles=loadFiles,
            customDownloader=customDownloader,
            thumbnailFileName=thumbnailFileName,
            loadFileTypes=loadFileTypes,
            loadFileProperties=loadFileProperties,
            loadFileType=loadFileType,
        )
        sources = _table("sampleDataSources").setdefault(category, [])
        if source not in sources:
            sources.append(source)

    @staticmethod
    def categoryTitle(category: str) -> str:
        return _table("sampleDataSourceCategories").get(category, {}).get("title", category)

    @staticmethod
    def sampleDataSourcesByCategory(category: str | None = None) -> Any:
        """Return the sources of a category, or all of them in a dictionary."""
        sources = _table("sampleDataSources")
        return sources if category is None else sources.get(category, [])

    @staticmethod
    def isSampleDataSourceRegistered(category: str, sampleDataSource: SampleDataSource) -> bool:
        return sampleDataSource in SampleDataLogic.sampleDataSourcesByCategory(category)

    def sourceForSampleName(self, sampleName: str) -> SampleDataSource | None:
        sources = (source for category in _table("sampleDataSources").values() for source in category)
        return next((source for source in sources if source.sampleName == sampleName), None)

    def downloadSample(self, sampleName: str) -> Any:
        return self.downloadSamples(sampleName)[0]

    def downloadSamples(self, sampleName: str) -> list[Any]:
        """Return the nodes of the source of this name; none for an unknown name."""
        source = self.sourceForSampleName(sampleName)
        return [] if source is None else self.downloadFromSource(source)

    def downloadFromSource(self, source: SampleDataSource) -> list[Any]:
        """Bring the files of ``source`` into the cache of the scene and load them.

        A file without the name of a node, where others have one, is not loaded; nor is one whose ``loadFiles`` is
        False. What cannot be had is logged and left out. Returns the nodes, or the paths if nothing is to be loaded.
        """
        nodes, paths = [], []
        unnamed = all(name is None for name in source.nodeNames)
        columns = (source.uris, source.fileNames, source.nodeNames, source.checksums)
        columns += (source.loadFiles, source.loadFileTypes)
        for uri, file, name, checksum, load, kind in zip(*columns, strict=True):
            path = self._fetch(uri, file or os.path.basename(uri), checksum)
            if path is None:
                continue
            wanted = name or (os.path.splitext(os.path.basename(path))[0] if unnamed else None)
            if load is False or wanted is None:
                paths.append(path)
            elif (node := self._load(path, wanted, kind, source.loadFileProperties)) is not None:
                nodes.append(node)
        return nodes or paths

    def logMessage(self, message: str, logLevel: int = logging.DEBUG) -> None:
        logging.log(logLevel, message)

    def _fetch(self, uri: str, name: str, checksum: str | None) -> str | None:
        folder = slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory()
        os.makedirs(folder, exist_ok=True)
        path = f"{folder}/{name}"
        self.logMessage(f"Requesting {name} from {uri}")
        if not slicer.util.downloadFile(uri, path, checksum):
            self.logMessage(f"{uri} could not be downloaded to {path}.", logging.ERROR)
            return None
        return path

    def _load(self, path: str, name: str, kind: str | None, properties: dict[str, Any]) -> Any:
        files, loaded = slicer.app.coreIOManager(), vtk.vtkCollection()
        if not files.loadNodes(kind or files.fileType(path), {**properties, "fileName": path, "name": name}, loaded):
            self.logMessage(f"{path} could not be loaded.", logging.ERROR)
            return None
        node = loaded.GetItemAsObject(0)
        storage = node.GetStorageNode()
        if storage is not None:  # a saved scene must not refer to the cache
            slicer.mrmlScene.RemoveNode(storage)
        return node


class SampleDataWidget(ScriptedLoadableModuleWidget):
    """A button for every source, in a box for every category."""

    def setup(self) -> None:
        super().setup()
        self.logic = SampleDataLogic()
        for category, sources in SampleDataLogic.sampleDataSourcesByCategory().items():
            box = ctk.ctkCollapsibleGroupBox()
            box.title = SampleDataLogic.categoryTitle(category)
            box.setLayout(qt.QVBoxLayout())
            self.layout.addWidget(box)
            for source in sources:
                button = qt.QPushButton(source.sampleDescription)
                button.name = f"{source.sampleName}PushButton"
                action = source.customDownloader or self.logic.downloadFromSource
                button.connect("clicked()", lambda action=action, source=source: action(source))
                box.layout().addWidget(button)
        self.layout.addStretch(1)


def _table(name: str) -> dict[str, Any]:
    """Return a table that all modules share, where Slicer keeps it: in ``slicer.modules``."""
    if not hasattr(slicer.modules, name):
        setattr(slicer.modules, name, {})
    return getattr(slicer.modules, name)

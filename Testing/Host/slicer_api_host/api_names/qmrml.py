"""The widgets of MRML (github.com/Slicer/Slicer: Libs/MRML/Widgets and Modules/Loadable/*/Widgets)."""

from slicer_api_host.api_names import Real

NAMES = {
    "qMRMLWidget": Real(
        "QWidget",
        """mrmlScene setMRMLScene mrmlSceneChanged preInitializeApplication postInitializeApplication pixmapFromIcon""",
    ),
    "qSlicerWidget": Real("QWidget", "setMRMLScene mrmlSceneChanged"),
    "qMRMLNodeComboBox": Real(
        "QWidget",
        """currentNodeID currentNodeId nodeTypes showHidden showChildNodeTypes hideChildNodeTypes baseName noneEnabled
        addEnabled removeEnabled editEnabled renameEnabled interactionNodeSingletonTag selectNodeUponCreation noneDisplay
        sizeAdjustPolicy mrmlScene addAttribute removeAttribute setNodeTypeLabel nodeTypeLabel nodeCount nodeFromIndex
        currentNode sortFilterProxyModel addMenuAction setMRMLScene setCurrentNode setCurrentNodeID setCurrentNodeIndex
        addNode removeCurrentNode editCurrentNode renameCurrentNode currentNodeChanged currentNodeIDChanged nodeActivated
        nodeAdded nodeAddedByUser nodeAddedByUserAction nodeAboutToBeRemoved currentNodeRenamed nodeAboutToBeEdited""",
    ),
    "qMRMLSpinBox": Real("ctkDoubleSpinBox", "quantity unitAwareProperties mrmlScene setMRMLScene setQuantity"),
    "qMRMLSliderWidget": Real(
        "ctkSliderWidget", "quantity unitAwareProperties orientation mrmlScene setMRMLScene setQuantity setOrientation"
    ),
    "qMRMLRangeWidget": Real("ctkRangeWidget", "quantity mrmlScene setMRMLScene setQuantity"),
    "qMRMLSequenceBrowserSeekWidget": Real(
        "qMRMLWidget", "slider setMRMLSequenceBrowserNode setSelectedItemNumber onIndexDisplayFormatModified"
    ),
    "qMRMLSequenceBrowserPlayWidget": Real(
        "qMRMLWidget",
        """RecordingControlsVisible PlayPauseShortcut PreviousFrameShortcut NextFrameShortcut setMRMLSequenceBrowserNode
        setPlaybackEnabled setRecordingEnabled setPlaybackRateFps setPlaybackLoopEnabled setRecordingControlsVisible
        setPlayPauseShortcut setPreviousFrameShortcut setNextFrameShortcut onVcrFirst onVcrPrevious onVcrNext onVcrLast
        onVcrPlayPause onRecordSnapshot""",
    ),
}

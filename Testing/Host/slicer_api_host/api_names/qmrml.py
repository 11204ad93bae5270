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
        addEnabled removeEnabled editEnabled renameEnabled interactionNodeSingletonTag selectNodeUponCreation
        noneDisplay sizeAdjustPolicy mrmlScene addAttribute removeAttribute setNodeTypeLabel nodeTypeLabel nodeCount
        nodeFromIndex currentNode sortFilterProxyModel addMenuAction setMRMLScene setCurrentNode setCurrentNodeID
        setCurrentNodeIndex addNode removeCurrentNode editCurrentNode renameCurrentNode currentNodeChanged
        currentNodeIDChanged nodeActivated nodeAdded nodeAddedByUser nodeAddedByUserAction nodeAboutToBeRemoved
        currentNodeRenamed nodeAboutToBeEdited""",
    ),
    "qMRMLSpinBox": Real(
        "ctkDoubleSpinBox",
        """quantity unitAwareProperties mrmlScene setMRMLScene setQuantity setUnitAwareProperties UnitAwareProperty
        Prefix Suffix Precision MinimumValue MaximumValue Scaling All""",
    ),
    "qMRMLSliderWidget": Real(
        "ctkSliderWidget",
        """quantity unitAwareProperties orientation mrmlScene setMRMLScene setQuantity setUnitAwareProperties
        setOrientation UnitAwareProperty Prefix Suffix Precision MinimumValue MaximumValue Scaling All""",
    ),
    "qMRMLRangeWidget": Real("ctkRangeWidget", "quantity mrmlScene setMRMLScene setQuantity"),
    "qMRMLSequenceBrowserSeekWidget": Real("qMRMLWidget", "slider setMRMLSequenceBrowserNode setSelectedItemNumber"),
    "qMRMLSequenceBrowserPlayWidget": Real(
        "qMRMLWidget",
        """RecordingControlsVisible PlayPauseShortcut PreviousFrameShortcut NextFrameShortcut
        setMRMLSequenceBrowserNode setPlaybackEnabled setRecordingEnabled setPlaybackRateFps setPlaybackLoopEnabled
        setRecordingControlsVisible setPlayPauseShortcut setPreviousFrameShortcut setNextFrameShortcut onVcrFirst
        onVcrPrevious onVcrNext onVcrLast onVcrPlayPause onRecordSnapshot""",
    ),
    "qMRMLSegmentSelectorWidget": Real(
        "qMRMLWidget",
        """noneEnabled editEnabled segmentationNodeSelectorVisible multiSelection horizontalLayout
        selectNodeUponCreation currentNode currentNodeID currentSegmentID selectedSegmentIDs segmentIDs
        setCurrentNode setCurrentNodeID setCurrentSegmentID setSelectedSegmentIDs onCurrentNodeChanged
        currentNodeChanged currentSegmentChanged segmentSelectionChanged nodeAboutToBeEdited""",
    ),
    "qSlicerMarkupsPlaceWidget": Real(
        "qSlicerWidget",
        """buttonsVisible deleteAllControlPointsOptionVisible unsetLastControlPointOptionVisible
        unsetAllControlPointsOptionVisible placeMultipleMarkups nodeColor defaultNodeColor currentNodeActive
        placeModeEnabled placeModePersistency PlaceMultipleMarkupsType ShowPlaceMultipleMarkupsOption
        HidePlaceMultipleMarkupsOption ForcePlaceSingleMarkup ForcePlaceMultipleMarkups currentNode
        currentMarkupsFiducialNode currentMarkupsNode interactionNode selectionNode placeButton deleteButton
        setMRMLScene setCurrentNode setCurrentNodeActive setInteractionNode setSelectionNode setDefaultNodeColor
        setNodeColor setPlaceModeEnabled setPlaceMultipleMarkups setButtonsVisible
        setDeleteAllControlPointsOptionVisible setUnsetLastControlPointOptionVisible
        setUnsetAllControlPointsOptionVisible setPlaceModePersistency modifyLastPoint deleteLastPoint
        deleteAllPoints unsetLastDefinedPoint unsetAllPoints activeMarkupsPlaceModeChanged
        activeMarkupsFiducialPlaceModeChanged""",
    ),
    "qMRMLTableView": Real(
        "QTableView",
        """transposed firstRowLocked firstColumnLocked mrmlScene mrmlTableViewNode mrmlTableNode tableModel
        sortFilterProxyModel setMRMLScene setMRMLTableViewNode setMRMLTableNode setTransposed setFirstRowLocked
        setFirstColumnLocked copySelection pasteSelection plotSelection insertRow insertColumn deleteRow
        deleteColumn mrmlSceneChanged selectionChanged""",
    ),
}

"""Views and layouts (github.com/commontk/CTK: Libs/Visualization/VTK/Widgets, Libs/Widgets; Libs/MRML/Widgets)."""

from slicer_api_host.api_names import Real

NAMES = {
    "ctkVTKAbstractView": Real(
        "QWidget",
        """cornerAnnotationText backgroundColor backgroundColor2 gradientBackground renderEnabled fpsVisible
        useDepthPeeling maximumUpdateRate scheduleRender forceRender setRenderPaused pauseRender resumeRender
        setMaximumUpdateRate setBackgroundColor setBackgroundColor2 setGradientBackground setRenderEnabled
        setCornerAnnotationText setFPSVisible setUseDepthPeeling renderWindow interactor interactorStyle
        cornerAnnotation VTKWidget""",
    ),
    "ctkVTKSliceView": Real(
        "ctkVTKAbstractView",
        """renderWindowLayoutType highlightedBoxColor colorLevel colorWindow lightBoxRendererManager resetCamera
        setImageDataConnection setHighlightedBoxColor setRenderWindowLayoutType setColorLevel setColorWindow
        setLightBoxRendererManagerRowCount setLightBoxRendererManagerColumnCount resized""",
    ),
    "ctkVTKChartView": Real(
        "QWidget",
        """title addPlot removePlot plotIndex chart scene renderWindow removeAllPlots setAxesToChartBounds
        boundAxesToChartBounds plotAdded plotRemoved boundsChanged extentChanged""",
    ),
    "qMRMLAbstractViewWidget": Real(
        "qMRMLWidget",
        """viewLabel viewColor controllerWidget mrmlAbstractViewNode logic viewWidget setViewLabel setViewColor
        setMRMLAbstractViewNode setRenderPaused pauseRender resumeRender""",
    ),
    "qMRMLViewControllerBar": Real(
        "qMRMLWidget",
        "showMaximizeViewButton setLayoutBehavior barLayout barWidget pinButton viewLabel maximizeView "
        "setShowMaximizeViewButton",
    ),
    "qMRMLSliceView": Real(
        "ctkVTKSliceView",
        """interactorObserver addDisplayableManager getDisplayableManagers displayableManagerByClassName mrmlSliceNode
        sliceViewInteractorStyle convertDeviceToXYZ convertRASToXYZ convertXYZToRAS setViewCursor unsetViewCursor
        setDefaultViewCursor setMRMLScene setMRMLSliceNode""",
    ),
    "qMRMLSliceWidget": Real(
        "qMRMLAbstractViewWidget",
        """sliceOrientation sliceViewName sliceViewLabel sliceViewColor sliceOffsetSliderOrientation sliceController
        sliceVerticalController mrmlSliceNode sliceLogic imageDataConnection mrmlSliceCompositeNode interactorStyle
        overlayCornerAnnotation setSliceLogics sliceView setMRMLSliceNode setImageDataConnection setSliceOrientation
        fitSliceToBackground setSliceOffsetSliderOrientation nodeAboutToBeEdited""",
    ),
    "qMRMLSliceControllerWidget": Real(
        "qMRMLViewControllerBar",
        """sliceViewName sliceViewLabel sliceViewColor sliceOffsetResolution moreButtonVisibility sliceOrientation
        showSliceOffsetSlider imageDataConnection mrmlSliceNode mrmlSliceCompositeNode setSliceOffsetRange sliceLogic
        setSliceLogic setControllerButtonGroup setSliceLogics sliceOffsetSlider fitToWindowToolButton setMRMLSliceNode
        setImageDataConnection setSliceViewSize fitSliceToBackground setSliceOrientation setShowSliceOffsetSlider
        setSliceOffsetValue trackSliceOffsetValue setSliceVisible setSliceEdgeVisibility3D setSliceLink setHotLinked
        setMoreButtonVisible isMoreButtonVisible moveBackgroundComboBox updateSegmentationControlsVisibility
        rotateSliceToLowestVolumeAxes setSegmentationHidden setLabelMapHidden setForegroundHidden setBackgroundHidden
        setSegmentationOpacity setLabelMapOpacity setForegroundOpacity setBackgroundOpacity
        toggleSegmentationOutlineFill showLabelOutline setCompositing setClipToBackground setSliceSpacingMode
        setSliceSpacing setSliceFOV setRulerType setOrientationMarkerType setLightbox setForegroundInterpolation
        setBackgroundInterpolation updateWidgetFromMRMLView imageDataConnectionChanged renderRequested
        nodeAboutToBeEdited""",
    ),
    "qMRMLPlotView": Real(
        "ctkVTKChartView",
        """setMRMLScene setMRMLPlotViewNode fitToContent RemovePlotSelections saveAsSVG mrmlSceneChanged
        dataSelected""",
    ),
    "qMRMLPlotViewControllerWidget": Real(
        "qMRMLViewControllerBar",
        "setViewLabel mrmlPlotViewNode setPlotView setMRMLPlotViewNode fitPlotToAxes onExportButton",
    ),
    "qMRMLPlotWidget": Real("qMRMLAbstractViewWidget", "mrmlPlotViewNode plotView plotController setMRMLPlotViewNode"),
    "ctkLayoutManager": Real(
        "QObject", "spacing viewportNames setViewport viewport isViewportUsedInLayout layoutChanged"
    ),
    "qMRMLLayoutManager": Real(
        "ctkLayoutManager",
        """enabled layout threeDViewCount tableViewCount plotViewCount registerViewFactory mrmlViewFactories
        mrmlViewFactory mrmlScene viewWidget viewWidgets sliceWidget threeDWidget sliceViewNames tableWidget plotWidget
        mrmlSliceLogics mrmlViewLogics setMRMLColorLogic mrmlColorLogic layoutLogic activeMRMLThreeDViewNode
        activeThreeDRenderer activeMRMLTableViewNode activeTableRenderer activeMRMLPlotViewNode activePlotRenderer
        setEnabled setMRMLScene setLayout addMaximizedViewNode removeMaximizedViewNode removeAllMaximizedViewNodes
        setLayoutNumberOfCompareViewRows setLayoutNumberOfCompareViewColumns resetThreeDViews resetSliceViews
        setRenderPaused pauseRender resumeRender activeMRMLThreeDViewNodeChanged activeMRMLTableViewNodeChanged
        activeMRMLPlotViewNodeChanged activeThreeDRendererChanged activeTableRendererChanged activePlotRendererChanged
        nodeAboutToBeEdited""",
    ),
    "qSlicerLayoutManager": Real(
        "qMRMLLayoutManager", "setScriptedDisplayableManagerDirectory setCurrentModule selectModule"
    ),
}

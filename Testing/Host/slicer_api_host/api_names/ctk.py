"""The widgets of CTK (github.com/commontk/CTK, Libs/Widgets)."""

from slicer_api_host.api_names import Real

NAMES = {
    "ctkCheckBox": Real("QCheckBox", "indicatorIcon indicatorIconSize"),
    "ctkCheckablePushButton": Real(
        "ctkPushButton",
        """indicatorAlignment checkState checkBoxControlsButton checkBoxControlsButtonToggleState checkBoxUserCheckable
        checkBoxToggled checkStateChanged""",
    ),
    "ctkCollapsibleButton": Real(
        "QAbstractButton",
        """collapsed collapsedHeight flat contentsFrameShape contentsFrameShadow contentsLineWidth contentsMidLineWidth
        buttonTextAlignment indicatorAlignment contentsCollapsed""",
    ),
    "ctkCollapsibleGroupBox": Real("QGroupBox", "collapsed collapsedHeight"),
    "ctkColorPickerButton": Real(
        "QPushButton",
        """color colorName displayColorName dialogOptions setColor changeColor setDisplayColorName colorChanged
        colorNameChanged ColorDialogOption ShowAlphaChannel NoButtons DontUseNativeDialog UseCTKColorDialog""",
    ),
    "ctkComboBox": Real(
        "QComboBox",
        """defaultText defaultIcon forceDefault elideMode scrollWheelEffect currentUserDataAsString
        setCurrentUserDataAsString returnRelease
        ScrollEffect NeverScroll AlwaysScroll ScrollWithFocus ScrollWithNoVScrollBar""",
    ),
    "ctkDirectoryButton": Real(
        "QWidget",
        """acceptMode directory caption text icon elideMode options browse directoryChanged directorySelected
        Option ShowDirsOnly DontResolveSymlinks DontConfirmOverwrite DontUseSheet DontUseNativeDialog ReadOnly
        HideNameFilterDetails""",
    ),
    "ctkDoubleRangeSlider": Real(
        "QWidget",
        """minimum maximum singleStep minimumValue maximumValue minimumPosition maximumPosition tracking orientation
        tickInterval tickPosition symmetricMoves setRange setMinimumValue setMaximumValue setValues minimumValueChanged
        maximumValueChanged valuesChanged minimumPositionChanged maximumPositionChanged positionsChanged sliderPressed
        sliderReleased rangeChanged""",
    ),
    "ctkDoubleSlider": Real(
        "QWidget",
        """value sliderPosition singleStep pageStep minimum maximum tickInterval tickPosition tracking orientation
        handleToolTip invertedAppearance invertedControls setValue setOrientation valueChanged sliderMoved sliderPressed
        sliderReleased rangeChanged""",
    ),
    "ctkDoubleSpinBox": Real(
        "QWidget",
        """alignment frame readOnly prefix suffix cleanText decimals decimalsOption minimum maximum singleStep value
        setMode invertedControls sizeHintPolicy isSettingValue setValue setValueIfDifferent setValueAlways stepUp
        stepDown setDecimals setReadOnly valueChanged editingFinished decimalsChanged
        SetMode SetAlways SetIfDifferent SizeHintPolicy SizeHintByMinMax SizeHintByValue
        DecimalsOption FixedDecimals DecimalsByShortcuts DecimalsByKey DecimalsByValue InsertDecimals ReplaceDecimals
        DecimalsAsMax DecimalsAsMin DecimalPointAlwaysVisible""",
    ),
    "ctkFittedTextBrowser": Real(
        "QTextBrowser",
        """disableMouseScroll collapsed showDetailsText hideDetailsText collapsibleText setCollapsibleText
        setCollapsibleHtml setCollapsiblePlainText""",
    ),
    "ctkMenuButton": Real("QPushButton"),
    "ctkMessageBox": Real(
        "QMessageBox",
        """dontShowAgain dontShowAgainButtonRoles dontShowAgainSettingsKey dontShowAgainVisible
        addDontShowAgainButtonRole setDontShowAgain onFinished""",
    ),
    "ctkPathLineEdit": Real(
        "QWidget",
        """label filters currentPath options settingKey showBrowseButton showHistoryButton sizeAdjustPolicy
        minimumContentsLength nameFilters comboBox setCurrentPath browse retrieveHistory addCurrentPathToHistory
        validInputChanged currentPathChanged
        Filter Dirs Files Drives NoSymLinks AllEntries TypeMask Readable Writable Executable PermissionMask Modified
        Hidden System AccessMask AllDirs CaseSensitive NoDotAndDotDot NoDot NoDotDot NoFilter
        Option ShowDirsOnly DontResolveSymlinks DontConfirmOverwrite DontUseSheet DontUseNativeDialog ReadOnly
        HideNameFilterDetails SizeAdjustPolicy AdjustToContents AdjustToContentsOnFirstShow
        AdjustToMinimumContentsLength""",
    ),
    "ctkPushButton": Real("QPushButton", "buttonTextAlignment iconAlignment elideMode"),
    "ctkRangeWidget": Real(
        "QWidget",
        """decimals singleStep minimum maximum minimumValue maximumValue prefix suffix tickInterval autoSpinBoxWidth
        spinBoxTextAlignment spinBoxAlignment tracking symmetricMoves customSpinBoxesLimitsMin
        customSpinBoxesLimitsMax setRange reset setMinimumValue setMaximumValue setValues setDecimals
        minimumValueChanged minimumValueIsChanging maximumValueChanged maximumValueIsChanging valuesChanged
        rangeChanged""",
    ),
    "ctkSliderWidget": Real(
        "QWidget",
        """decimals singleStep pageStep minimum maximum value prefix suffix tickInterval tickPosition
        synchronizeSiblings spinBoxAlignment tracking spinBoxVisible popupSlider invertedAppearance invertedControls
        reset setValue setSpinBoxVisible setDecimals valueChanged valueIsChanging decimalsChanged
        SynchronizeSibling NoSynchronize SynchronizeWidth SynchronizeDecimals""",
    ),
}

"""The application and its modules (github.com/Slicer/Slicer: Base/QTCore, Base/QTGUI, Modules/Loadable)."""

from slicer_api_host.api_names import Real

NAMES = {
    "qSlicerCoreApplication": Real(
        "QApplication",
        """slicerHome defaultScenePath slicerSharePath temporaryPath cachePath startupWorkingPath extensionsInstallPath
        intDir isInstalled releaseType repositoryUrl repositoryRevision revision majorVersion minorVersion
        applicationLocale applicationLocaleName documentationBaseUrl documentationVersion documentationLanguage
        platform arch os mainApplicationName mainApplicationDisplayName startupEnvironment environment
        setEnvironmentVariable mrmlScene applicationLogic moduleLogic extensionsManagerModel errorLogModel
        moduleManager coreIOManager defaultSettings userSettings settings revisionUserSettings
        moduleDocumentationUrl testingEnabled restart setRenderPaused pauseRender resumeRender loadFiles openUrl
        mrmlSceneChanged""",
    ),
    "qSlicerApplication": Real(
        "qSlicerCoreApplication",
        """commandOptions ioManager pythonManager pythonConsole layoutManager setLayoutManager settingsDialog
        openSettingsDialog openNodeModule openExtensionsManagerDialog confirmRestart startupCompleted renderPaused""",
    ),
    "qSlicerCommandOptions": Real(
        "QObject", "noSplash disableToolTips noMainWindow testingEnabled verboseModuleDiscovery pythonDisabled"
    ),
    "qSlicerIOManager": Real(
        "QObject",
        """defaultSceneFileType fileType fileTypes fileDescriptions fileWriterFileType fileWriterExtensions loadNodes
        loadScene loadFile saveNodes exportNodes saveScene addDefaultStorageNodes registeredFileReaderCount
        registeredFileWriterCount createAndAddDefaultStorageNode newFileLoaded fileSaved openDialog
        openLoadSceneDialog openAddSceneDialog openAddDataDialog openAddVolumeDialog openSaveDataDialog""",
    ),
    "qSlicerModuleManager": Real("QObject", "factoryManager modulesNames module moduleLoaded moduleAboutToBeUnloaded"),
    "qSlicerModuleFactoryManager": Real(
        "QObject",
        """registerModule registeredModuleNames isRegistered instantiatedModuleNames isInstantiated moduleInstance
        modulesRegistered moduleRegistered loadModules loadedModuleNames unloadModules isLoaded loadedModule
        modulesLoaded moduleLoaded modulesAboutToBeUnloaded moduleAboutToBeUnloaded modulesUnloaded moduleUnloaded""",
    ),
    "qSlicerAbstractCoreModule": Real(
        "QObject",
        """name title categories index hidden widgetRepresentationCreationEnabled helpText acknowledgementText
        contributors defaultDocumentationLink dependencies path isInstalled isBuiltIn associatedNodeTypes logic
        mrmlScene setMRMLScene widgetRepresentation createNewWidgetRepresentation""",
    ),
    "qSlicerLoadableModule": Real("qSlicerAbstractCoreModule", "icon"),
    "qSlicerSequencesModule": Real(
        "qSlicerLoadableModule",
        """toolBarVisible autoShowToolBar isToolBarVisible toolBar showSequenceBrowser setToolBarVisible
        setAutoShowToolBar updateAllVirtualOutputNodes setToolBarActiveBrowserNode""",
    ),
    "qSlicerScriptedLoadableModule": Real("qSlicerLoadableModule", "extensions"),
    "qSlicerAbstractModuleWidget": Real("qSlicerWidget", "isEntered enter exit setEditedNode nodeEditable module"),
    "qSlicerScriptedLoadableModuleWidget": Real("qSlicerAbstractModuleWidget", "moduleName reload self"),
}

def registerSampleData():
    pass

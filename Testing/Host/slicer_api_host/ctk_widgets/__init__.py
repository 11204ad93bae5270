"""The widgets of CTK that scripted modules use. Facts: headers of github.com/commontk/CTK, Libs/Widgets."""

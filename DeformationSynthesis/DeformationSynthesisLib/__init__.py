"""What the module DeformationSynthesis is made of: Logic needs no window, Parameters and Widget are its panel."""

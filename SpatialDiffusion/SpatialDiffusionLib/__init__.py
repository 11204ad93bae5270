"""What the module SpatialDiffusion is made of: Logic needs no window, Parameters and Widget are its panel."""

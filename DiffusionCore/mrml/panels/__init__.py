"""What the panels of both modules share: parts of a form and their words. A module has the rest of its panel."""

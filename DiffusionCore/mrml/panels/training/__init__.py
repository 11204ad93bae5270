"""The section Training: start, follow and resume a training, and put its model in use."""

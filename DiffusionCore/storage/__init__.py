"""Files in and out: images, transforms, weights. RAS inside, LPS at the border; no torch until a part needs it."""

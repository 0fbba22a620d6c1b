"""Figures and ratios, all measured in one run: `make bench`."""

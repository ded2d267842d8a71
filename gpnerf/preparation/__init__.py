"""Conversion of official downloads and COLMAP models to the folders that loaders read."""

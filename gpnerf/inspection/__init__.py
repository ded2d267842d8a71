"""Checks of poses, intrinsics and depth maps against each other, and pictures that show them."""

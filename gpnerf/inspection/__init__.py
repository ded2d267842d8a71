"""Checks of scenes: files, poses, intrinsics and depth maps, and pictures that show whether they fit."""

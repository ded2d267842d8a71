"""Rooms: furnished indoor scenes made from a seed and drawn by a small ray tracer."""

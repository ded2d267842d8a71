"""What the tables report: image quality, semantic segmentation, instance segmentation."""

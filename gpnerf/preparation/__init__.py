"""Downloads of data sets, as their authors give them out, on their way to the folders that loaders read."""

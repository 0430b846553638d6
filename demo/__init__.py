"""The demonstration: a small news site of our own writing, and files to upload."""

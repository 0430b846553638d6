"""Pure readers and writers of published formats. Nothing here opens a file."""

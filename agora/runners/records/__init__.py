"""What is left on disk: run folders and exported programs."""

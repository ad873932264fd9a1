"""Score and decision files as the challenges want them: written, read by name, checked line by line, evaluated."""

"""The look that every HTML page of asdbench shares. Knows nothing of results."""

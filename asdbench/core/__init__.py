"""What every layer stands on: errors, whole-file writes, digests, seeds, progress. Imports nothing of asdbench."""

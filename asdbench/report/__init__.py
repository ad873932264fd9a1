"""The report of one run: pictures that explain its scores."""

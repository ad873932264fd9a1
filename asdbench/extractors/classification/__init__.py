"""Parts of the classifier of machine attributes."""

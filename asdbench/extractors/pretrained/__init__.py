"""Networks that others have trained, used as they came: nothing is learned here."""

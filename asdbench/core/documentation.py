"""How messages call a page of the documentation, which is no file where a wheel is installed."""

TITLES = {  # of the pages that messages name
    "how-to/data": "Use recordings of your own",
    "how-to/plugins": "Write an extractor or scorer of your own",
    "explanation/protocols": "Official scores, year by year",
}


def page(name: str) -> str:
    """``asdbench's documentation, How-to > Use recordings of your own`` of "how-to/data"."""
    return f"asdbench's documentation, {name.partition('/')[0].capitalize()} > {TITLES[name]}"

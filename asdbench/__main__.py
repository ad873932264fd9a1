"""``python -m asdbench`` is the ``asdbench`` command."""

from asdbench.cli.app import main

if __name__ == "__main__":
    main()

"""The public functions and what they return; ``import asdbench as asd`` exports all of them.

The command line calls these and prints. Nothing here prints, and nothing heavy is imported before it is used.
"""

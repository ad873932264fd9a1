"""Pretrained audio encoders by name: published weights, patches of the layers asked for, and those pooled."""

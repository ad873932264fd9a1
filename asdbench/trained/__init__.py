"""A trained system: what a run learned, in a folder of its own, and the scoring of new recordings with it."""

from asdbench.trained.recordings import Recording, Sound
from asdbench.trained.save import save_system
from asdbench.trained.system import Scored, TrainedSystem, load_system

__all__ = ["Recording", "Scored", "Sound", "TrainedSystem", "load_system", "save_system"]

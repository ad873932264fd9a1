"""What MLflow runs to load a logged model. It copies this file into the model instead of pickling an object."""

import mlflow.models

from asdbench.tracking.model import AnomalyDetector

mlflow.models.set_model(AnomalyDetector())

"""Names that other libraries have for parameters, so that a near miss is answered with the parameter that is meant."""

from collections.abc import Iterable

from asdbench.core.errors import did_you_mean

# By how a parameter's name begins here: names in scikit-learn, PyOD, torch, librosa and papers. Where one name stands
# for several, the component has one of them.
NAMES = {
    "n_neighbors": ("k", "neighbors", "neighbours", "n_neighbours", "num_neighbors", "knn"),
    "n_clusters": ("k", "clusters", "num_clusters", "centres", "centers", "n_centers"),
    "n_components": ("k", "components", "num_components", "mixtures", "n_mixtures", "n_gaussians"),
    "n_estimators": ("trees", "n_trees", "num_trees", "estimators"),
    "n_mix": ("k", "mix"),
    "learning_rate": ("lr", "eta", "alpha_lr", "step_size"),
    "epochs": ("n_epochs", "num_epochs", "max_epochs", "epoch_num", "max_iter", "n_iter", "iterations"),
    "batch_size": ("bs", "batch", "minibatch_size"),
    "temperature": ("tau", "temp", "t"),
    "backbone": ("arch", "architecture", "model", "network", "model_name"),
    "bottleneck_dim": ("latent_dim", "latent", "z_dim", "code_dim"),
    "hidden_dim": ("hidden_size", "hidden", "units", "width"),
    "projection_dim": ("proj_dim", "head_dim", "out_dim"),
    "dim": ("embedding_dim", "embed_dim", "emb_dim", "embedding_size"),
    "n_mels": ("mels", "mel_bins", "num_mel_bins", "n_mel", "bins"),
    "n_fft": ("fft", "fft_size", "win_length", "window_length", "frame_length"),
    "hop": ("hop_length", "hop_size", "stride"),
    "sample_rate_hz": ("sr", "fs", "sample_rate", "sampling_rate", "rate"),
    "f_min_hz": ("fmin", "f_min", "low_freq"),
    "f_max_hz": ("fmax", "f_max", "high_freq"),
    "min_hz": ("fmin", "f_min", "low_freq"),
    "metric": ("distance", "dist"),
    "covariance": ("covariance_type", "cov", "cov_type"),
    "reg_covar": ("reg", "regularization", "eps", "epsilon"),
    "explained_variance": ("variance", "var"),
    "weights": ("checkpoint", "ckpt", "weights_path", "model_path", "pretrained"),
    "layer": ("layers", "block", "blocks"),
    "pooling": ("pool", "aggregation", "agg", "reduce"),
    "poolings": ("pool", "aggregation", "agg", "statistics", "stats"),
}


def nearest_param(asked: str, params: Iterable[str]) -> str:
    """A question that names the parameter meant: by another library's word for it, else the most alike; else empty."""
    params = list(params)
    word = asked.rpartition(".")[2].casefold().replace("-", "_")
    for start, names in NAMES.items():
        meant = [param for param in params if word in names and param.rpartition(".")[2].startswith(start)]
        if meant:
            return f" Did you mean '{min(meant, key=len)}'?"
    return did_you_mean(asked, params)

"""The shape of a BERT-like encoder, as its config.json tells it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yiku.core.errors import ModelNotFound

# RoBERTa counts positions from its padding id + 1.
ROBERTA_TYPES = ("xlm-roberta", "roberta")


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    layers: int
    heads: int
    hidden: int
    eps: float  # of layer normalisation
    first_position: int  # row of the position embeddings that belongs to the first token
    positions: int  # how many tokens the position embeddings reach


def read_architecture(folder: Path) -> Architecture:
    """Raises: ModelNotFound when the model isn't one Yiku can run, saying why."""
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelNotFound(f"{path} can't be read: {error}", path=str(path)) from error
    kind = config.get("model_type")
    activation = config.get("hidden_act", "gelu")
    positions = config.get("position_embedding_type", "absolute")
    if kind not in ("bert", *ROBERTA_TYPES) or activation != "gelu" or positions != "absolute":
        raise ModelNotFound(
            f"{path} describes a model Yiku can't run: {kind} with {activation} and {positions}"
            " positions. It runs bert, roberta and xlm-roberta with gelu and absolute positions.",
            path=str(path),
        )
    first = int(config.get("pad_token_id", 1)) + 1 if kind in ROBERTA_TYPES else 0
    try:
        return Architecture(
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            hidden=config["hidden_size"],
            eps=config.get("layer_norm_eps", 1e-12),
            first_position=first,
            positions=config["max_position_embeddings"] - first,
        )
    except KeyError as error:
        raise ModelNotFound(f"{path} lacks {error}.", path=str(path)) from error

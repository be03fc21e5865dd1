import pytest

from yiku.core.errors import ModelNotFound
from yiku.providers.presets import (
    endpoint_preset_names,
    find_endpoint_preset,
    is_english_only,
    local_preset,
    local_preset_names,
)


def test_every_local_preset_is_complete() -> None:
    assert local_preset_names()[0] == "all-minilm-l6-v2"
    for name in local_preset_names():
        preset = local_preset(name)
        assert preset.name == name
        assert preset.dimension > 0
        assert preset.pooling in ("mean", "cls")
        assert preset.repo.count("/") == 1


def test_an_unknown_local_model_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ModelNotFound, match="local/bge-m3"):
        local_preset("word2vec")


def test_every_endpoint_preset_has_an_address_and_a_batch() -> None:
    for name in endpoint_preset_names():
        preset = find_endpoint_preset(name)
        assert preset is not None
        assert preset.base_url.startswith("http")
        assert preset.batch > 0
        assert all(dimension > 0 for dimension in preset.dimensions.values())


@pytest.mark.parametrize(
    "model", ["all-minilm", "BAAI/bge-large-en-v1.5", "nomic-embed-text", "intfloat/e5-base-v2"]
)
def test_models_for_english_are_known(model: str) -> None:
    assert is_english_only(model)


@pytest.mark.parametrize(
    "model", ["bge-m3", "embedding-3", "text-embedding-3-small", "nomic-embed-text-v2-moe"]
)
def test_other_models_are_taken_to_be_multilingual(model: str) -> None:
    assert not is_english_only(model)


def test_an_unknown_endpoint_has_no_preset() -> None:
    assert find_endpoint_preset("nobody") is None

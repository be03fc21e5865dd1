"""The cohort: what it is made of, and its vectors on the disk."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from yiku.memory.roles.cohort import (
    LANGUAGES,
    cache_path,
    code_of,
    codes_of,
    cohort_of,
    cohort_texts,
    read_cached,
    write_cached,
)

RNG = np.random.default_rng(1)
VECTORS = RNG.normal(loc=0.3, size=(len(cohort_texts()), 16)).astype(np.float32)


def test_it_has_as_many_texts_of_each_language_and_none_twice() -> None:
    counts = Counter(code for _, code in cohort_texts())

    assert set(counts) == set(LANGUAGES)
    assert min(counts.values()) >= 300
    assert len({text for text, _ in cohort_texts()}) == len(cohort_texts())
    assert sum(code_of(text) == LANGUAGES.index(code) for text, code in cohort_texts()) > 650


def test_another_language_is_taken_for_english() -> None:
    assert codes_of(["Hello there", "我对花生过敏", "Guten Morgen", "🙂", ""]).tolist() == [
        0,
        1,
        0,
        0,
        0,
    ]


def test_what_all_texts_have_in_common_is_taken_out() -> None:
    cohort = cohort_of(VECTORS)

    assert np.allclose(np.linalg.norm(cohort.vectors, axis=1), 1, atol=1e-5)
    for code in range(len(LANGUAGES)):
        mean = VECTORS[cohort.codes == code].mean(axis=0)
        assert np.allclose(cohort.means[code], mean, atol=1e-5)
        centred = cohort.centred(mean[None], np.array([code], np.int8))
        assert np.isfinite(centred).all()


def test_its_own_texts_are_about_as_strange_as_usual() -> None:
    cohort = cohort_of(VECTORS)

    own = cohort.strangeness(cohort.vectors, cohort.codes)
    away = cohort.strangeness(np.zeros((1, 16), np.float32), np.zeros(1, np.int8))

    assert own.min() > away[0]


def test_vectors_are_read_again_as_they_were_written(tmp_path: Path) -> None:
    path = cache_path(tmp_path / "new", "m", True)
    assert read_cached(path, 16) is None

    write_cached(path, VECTORS)

    found = read_cached(path, 16)
    assert found is not None
    assert (found == VECTORS).all()
    assert read_cached(path, 8) is None
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    path.write_bytes(path.read_bytes()[:100])
    assert read_cached(path, 16) is None


def test_models_and_glosses_have_files_of_their_own(tmp_path: Path) -> None:
    paths = {cache_path(tmp_path, m, g) for m in ("a", "b") for g in (True, False)}

    assert len(paths) == 4


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    write_cached(tmp_path / "file" / "x.npy", VECTORS)


def test_half_a_file_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "save", full)
    write_cached(tmp_path / "x.npy", VECTORS)

    assert list(tmp_path.iterdir()) == []

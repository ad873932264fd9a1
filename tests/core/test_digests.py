from asdbench.core.digests import derive_seed, digest, file_digest


def test_seeds_depend_on_every_name_and_nothing_else():
    seeds = {derive_seed(base, "scorer", name, machine) for base in (0, 1) for name in "ab" for machine in ("fan", "")}
    assert len(seeds) == 8
    assert derive_seed(0, "ab", "c") != derive_seed(0, "a", "bc")
    assert derive_seed(7, "simclr") == derive_seed(7, "simclr")
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_digests_do_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 1.5})


def test_file_digest_is_of_the_content(tmp_path):
    for name, content in (("a", b"x"), ("b", b"x"), ("c", b"y")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (file_digest(tmp_path / name) for name in "abc")
    assert a == b != c

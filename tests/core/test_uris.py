import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import URL

from asdbench.core.uris import page_address, scrubbed, without_credentials


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://ann:s3cret@tracking.example:8443/mlflow", "https://tracking.example:8443/mlflow"),
        ("https://t0ken@tracking.example", "https://tracking.example"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("postgresql+psycopg://u:p@h/db", "postgresql+psycopg://h/db"),
        ("postgresql://u:p%40s%2Fs@h:5432/db", "postgresql://h:5432/db"),
        ("postgresql://u:p@ss@h/db", "postgresql://***"),
        ("postgresql://u:p/s?s#x@h/db", "postgresql://***"),
        ("postgresql+psycopg://ann:12/s3cret@127.0.0.1:9/x", "postgresql+psycopg://***"),
        ("http://ann:12/s3cret@h", "http://***"),
        ("http://ann:12?s3cret@h:5000/x?token=t", "http://***"),
        ("mysql://ann:12#s3cret@h", "mysql://***"),
        ("postgresql://h:5432/db?user=ann@tenant&password=p", "postgresql://***"),
        ("mssql+pyodbc:///?odbc_connect=SERVER%3Dh%3BUID%3Du%3BPWD%3Ds3cret", "mssql+pyodbc://"),
        ("postgresql://u:p@/db?host=/var/run/postgresql", "postgresql:///db"),
        ("postgresql:///db?host=/tmp&user=u&password=p", "postgresql:///db"),
        ("postgresql://u:p@[::1]:5432/db", "postgresql://[::1]:5432/db"),
        ("https://h/x?a=1&token=abc;api_key=q#access_token=z", "https://h/x"),
        ("https://h/team/a/mlflow/", "https://h/.../mlflow"),
        ("http://h/x;password=s3cret", "http://h/***"),
        ("http://h/ann:s3cret", "http://h/***"),
        ("http://h/ann%3As3cret", "http://h/***"),
        ("http://h;password=s3cret/x", "http://***"),
        ("http:/ann:s3cret@h/", "http://***"),
        ("http:///ann:s3cret@h/", "http://***"),
        ("http:ann:s3cret@h", "http://***"),
        ("http//ann:s3cret@h", "<address hidden>"),
        ("//ann:s3cret@h", "<address hidden>"),
        ("ann:s3cret@h:5432/db", "<address hidden>"),
        ("ann:s3cret", "<address hidden>"),
        ("s3cret", "<address hidden>"),
        ("host=h password=s3cret", "<address hidden>"),
        ("htps://ann:s3cret@h", "htps://***"),
        ("s3cret99://h", "<address hidden>"),
        (" postgresql://ann:s3cret@h/db ", "postgresql://h/db"),
        ("postgresql://ann:s3 cret@h/db", "postgresql://h/db"),
        ("postgresql://ann:s3cret@ h/db", "postgresql://***"),
        ("postgresql:///ann:s3cret@h:1/db", "postgresql://***"),
        ("postgresql+psycopg://ann:12?x=s3cret@h:1/db", "postgresql+psycopg://***"),
        ("postgresql://h/db?s3cret", "postgresql://h/db"),
        ("postgresql://h/db?options=-c%20x%3Ds3cret", "postgresql://h/db"),
        ("mysql://h/db;PWD=s3cret", "mysql://h/***"),
        ("sqlite+pysqlcipher://:s3cret@/study.db", "sqlite+pysqlcipher://***/study.db"),
        ("sqlite:///study.db?key=s3cret", "sqlite:///study.db"),
        ("databricks://s3cretTOKEN", "databricks://***"),
        ("databricks+connector://token:s3cret@h/x", "databricks+connector://***"),
        ("s3://KEY:s3cret@bucket/runs", "s3://bucket/runs"),
        ("https://h/x?password=a@b&c=1", "https://***"),
        ("https://h/x@y?v=1", "https://***"),
        ("https://h:8443/x@y?v=1", "https://***"),
        ("postgresql://u:123/4@h:5432/db", "postgresql://***"),
        ("postgresql://ann:s3cret/db", "postgresql://***"),
        ("postgresql://a:5432,b:5433/db", "postgresql://***"),
        ("mysql+pymysql://root:@h/db", "mysql+pymysql://h/db"),
        ("databricks://profile", "databricks://***"),
        ("databricks", "databricks"),
        ("sqlite:////data/a@b/user=x/mlflow.db", "sqlite://***/mlflow.db"),
        ("sqlite+pysqlite:///optuna.db", "sqlite+pysqlite:///optuna.db"),
        ("journal:///data/x:y@z.log", "journal://***"),
        ("/data/runs", "/data/runs"),
        ("", ""),
    ],
)
def test_what_is_shown_of_an_address(uri, shown):
    assert without_credentials(uri) == shown
    assert without_credentials(shown) == shown
    words = re.findall(r"\w*s3cret\w*", uri)
    assert "s3cret" not in scrubbed(f"cannot open {uri}: {uri.partition(':')[2]!r}, {', '.join(words)}", uri)


SECRETS = st.text("abcXYZ019 @:/?#%&=+!é-_", min_size=6, max_size=20).filter(
    lambda text: text.strip() == text and len({*text} - {*"*"}) > 3
)


@settings(max_examples=40, deadline=None)
@given(SECRETS, SECRETS)
def test_no_part_of_the_credentials_is_shown(user, password):
    uri = URL.create("postgresql+psycopg", user, password, "db.example", 5432, "x").render_as_string(False)
    assert without_credentials(uri) == "postgresql+psycopg://db.example:5432/x"
    for text in (f"could not connect to {uri}", f"wrong password ({password}) for the host", f"{uri}: refused, {uri}"):
        left = scrubbed(text, uri)
        assert password not in left
        assert uri not in left


@pytest.mark.parametrize("mark", "/?#@:")
def test_a_password_that_begins_like_a_port_is_no_part_of_a_message(mark):
    uri = f"postgresql://ann:12{mark}s3cret@db.example/x"
    for text in (f"cannot reach {uri}", f"refused: 12{mark}s3cret", f"port could not be cast: 12{mark}s3cret"):
        assert "s3cret" not in scrubbed(text, uri)


def test_a_password_within_a_connection_string_is_no_part_of_a_message():
    uri = "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BUID%3Du%3BPWD%3Dp%40s3cret"
    assert scrubbed("Login failed (DRIVER=x;UID=u;PWD=p@s3cret): p@s3cret", uri) == "Login failed (***): ***@***"


def test_a_piece_of_an_unencoded_password_that_a_driver_takes_for_a_host_is_no_more_shown():
    uri = "postgresql://ann:s3c/r@et@db/x"
    assert scrubbed("failed to resolve host 'et@db'", uri) == "failed to resolve host '***@***'"
    assert scrubbed("invalid port: 's3cret'", "postgresql://ann:s3cret/db") == "invalid port: '***'"


def test_a_message_keeps_what_is_no_secret():
    uri = "postgresql://ann:hunter22@db.example/runs?password=query-pw"
    message = (
        'connection to server at "db.example", port 5432 failed: FATAL: password authentication failed for user "ann" '
        "(hunter22, query-pw); see https://other:pw9@docs.example/x?y=1"
    )
    assert scrubbed(message, uri, None) == (
        'connection to server at "db.example", port 5432 failed: FATAL: password authentication failed for user "***" '
        "(***, ***); see https://docs.example/x"
    )


def test_a_password_of_a_letter_leaves_words_alone():
    assert scrubbed("a table at data (a)", "http://x:a@h") == "*** table at data (***)"


def test_the_page_of_a_server_has_its_whole_path_and_no_login():
    assert page_address("https://ann:s3cret@h:8443/team/a/mlflow?token=t#x") == "https://h:8443/team/a/mlflow"


def test_host_and_port_that_are_shown_stay_in_a_message():
    uri = "postgresql://ann:s3cret@127.0.0.1:5432/runs"
    assert (
        scrubbed(f"ended: {uri} at 127.0.0.1:5432", uri) == "ended: postgresql://127.0.0.1:5432/runs at 127.0.0.1:5432"
    )

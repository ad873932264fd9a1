import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL

from asdbench.core.uris import scrubbed, without_credentials


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://ann:s3cret@tracking.example:8443/mlflow", "https://tracking.example:8443/mlflow"),
        ("https://t0ken@tracking.example", "https://tracking.example"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("postgresql+psycopg://u:p@h/db", "postgresql+psycopg://h/db"),
        ("postgresql://u:p%40s%2Fs@h:5432/db", "postgresql://h:5432/db"),
        ("postgresql://u:p@ss@h/db", "postgresql://h/db"),
        ("postgresql://u:p/s?s#x@h/db", "postgresql://h/db"),
        ("postgresql+psycopg://ann:12/s3cret@127.0.0.1:9/x", "postgresql+psycopg://127.0.0.1:9/x"),
        ("http://ann:12/s3cret@h", "http://h"),
        ("http://ann:12?s3cret@h:5000/x?token=t", "http://h:5000/x?token=***"),
        ("mysql://ann:12#s3cret@h", "mysql://h"),
        ("postgresql://h:5432/db?user=ann@tenant&password=p", "postgresql://h:5432/db?user=***&password=***"),
        ("mssql+pyodbc:///?odbc_connect=SERVER%3Dh%3BUID%3Du%3BPWD%3Ds3cret", "mssql+pyodbc:///?odbc_connect=***"),
        ("postgresql://u:p@/db?host=/var/run/postgresql", "postgresql:///db?host=/var/run/postgresql"),
        ("postgresql:///db?host=/tmp&user=u&password=p", "postgresql:///db?host=/tmp&user=***&password=***"),
        ("postgresql://u:p@[::1]:5432/db", "postgresql://[::1]:5432/db"),
        (
            "https://h/x?a=1&token=abc;api_key=q#access_token=z",
            "https://h/x?a=1&token=***;api_key=***#access_token=***",
        ),
        ("https://h/x?password=a@b&c=1", "https://h/x?password=***&c=1"),
        ("https://h/x@y?v=1", "https://h/x@y?v=1"),
        ("https://h:8443/x@y?v=1", "https://y?v=1"),  # it may as well be the password "8443/x"
        ("postgresql://u:123/4@h:5432/db", "postgresql://h:5432/db"),
        ("postgresql://ann:s3cret/db", "postgresql://ann:***/db"),
        ("postgresql://a:5432,b:5433/db", "postgresql://a:5432,b:5433/db"),
        ("mysql+pymysql://root:@h/db", "mysql+pymysql://h/db"),
        ("databricks://profile", "databricks://profile"),
        ("databricks", "databricks"),
        ("sqlite:////data/a@b/user=x/mlflow.db", "sqlite:////data/a@b/user=x/mlflow.db"),
        ("sqlite+pysqlite:///optuna.db", "sqlite+pysqlite:///optuna.db"),
        ("journal:///data/x:y@z.log", "journal:///data/x:y@z.log"),
        ("/data/runs", "/data/runs"),
        ("", ""),
    ],
)
def test_what_is_shown_of_an_address(uri, shown):
    assert without_credentials(uri) == shown
    assert without_credentials(shown) == shown


SECRETS = st.text("abcXYZ019 @:/?#%&=+!é-_", min_size=6, max_size=20).filter(
    lambda text: text.strip() == text and len({*text} - {*"*"}) > 3
)


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
    assert scrubbed("Login failed (DRIVER=x;UID=u;PWD=p@s3cret): p@s3cret", uri) == "Login failed (***): ***"


def test_a_piece_of_an_unencoded_password_that_a_driver_takes_for_a_host_is_no_more_shown():
    uri = "postgresql://ann:s3c/r@et@db/x"
    assert scrubbed("failed to resolve host 'et@db'", uri) == "failed to resolve host '***@db'"
    assert scrubbed("invalid port: 's3cret'", "postgresql://ann:s3cret/db") == "invalid port: '***'"


def test_a_message_keeps_what_is_no_secret():
    uri = "postgresql://ann:hunter22@db.example/runs?password=query-pw"
    message = (
        'connection to server at "db.example", port 5432 failed: FATAL: password authentication failed for user "ann" '
        "(hunter22, query-pw); see https://other:pw9@docs.example/x?y=1"
    )
    assert scrubbed(message, uri, None) == (
        'connection to server at "db.example", port 5432 failed: FATAL: password authentication failed for user "ann" '
        "(***, ***); see https://docs.example/x?y=1"
    )


def test_a_password_of_a_letter_leaves_words_alone():
    assert scrubbed("a table at data (a)", "http://x:a@h") == "*** table at data (***)"

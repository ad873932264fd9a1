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
        ("postgresql://u:p@/db?host=/var/run/postgresql", "postgresql:///db?host=/var/run/postgresql"),
        ("postgresql:///db?host=/tmp&user=u&password=p", "postgresql:///db?host=/tmp&user=***&password=***"),
        ("postgresql://u:p@[::1]:5432/db", "postgresql://[::1]:5432/db"),
        (
            "https://h/x?a=1&token=abc;api_key=q#access_token=z",
            "https://h/x?a=1&token=***;api_key=***#access_token=***",
        ),
        ("https://h/x?password=a@b&c=1", "https://h/x?password=***&c=1"),
        ("https://h/x@y?v=1", "https://h/x@y?v=1"),
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

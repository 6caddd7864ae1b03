"""What the older contracts' documents call a setting is understood; ours win."""

import pytest

from veche.borrowed import BorrowedError, borrowed
from veche.settings import SettingsError, read_settings

YAML = """
pkg: {system_username: server, error_username: oops}
http: {host: 127.0.0.1, port: 8085}
websocket: {msg_max_length: 500, check_origin: true, allowed_origins: ["https://a.example"]}
jwt: {secret: 0123456789abcdef0123, expire: 1h30m}
"""


def test_nothing_given_is_nothing_borrowed():
    assert borrowed({}) == {}
    assert borrowed({"JWT_SECRET": "", "PORT": "", "HOME": "/root"}) == {}


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"APP_HOST": "0.0.0.0", "APP_PORT": "8100"}, {"host": "0.0.0.0", "port": "8100"}),
        ({"APP_HOST": "chat.example", "APP_PORT": "81"}, {"port": "81", "channels_host": "chat.example:81"}),
        ({"PORT": "3001"}, {"port": "3001"}),
        ({"APP_HOST": "::1"}, {"host": "::1", "channels_host": "[::1]:8000"}),
        ({"IS_PROXY": "True"}, {"echo_proxy": True}),
        ({"IS_PROXY": "1"}, {"echo_proxy": True}),
        ({"IS_PROXY": "yes"}, {"echo_proxy": False}),
        ({"IS_PROXY": "False"}, {"echo_proxy": False}),
        ({"ACCESS_TOKEN_EXPIRE_MINUTES": "30"}, {"channels_token_seconds": 1800}),
        ({"JWT_EXPIRATION_TIME": "3600"}, {"messenger_token_seconds": 216_000}),
        ({"DATABASE_URL": "sqlite:///x.db"}, {"database_url": "sqlite:///x.db"}),
        ({"POSTGRES_HOST": "db", "POSTGRES_NAME": "chat"}, {"database_url": "postgresql://db/chat"}),
        (
            {
                "POSTGRES_HOST": "db",
                "POSTGRES_PORT": "5433",
                "POSTGRES_DB": "app",
                "POSTGRES_USER": "me",
                "POSTGRES_PASSWORD": "p@ss/word",
            },
            {"database_url": "postgresql://me:p%40ss%2Fword@db:5433/app"},
        ),
        ({"POSTGRES_USER": "me", "POSTGRES_PASSWORD": "pw", "POSTGRES_DB": "app"}, {}),
        ({"JWT_ALGORITHM": "HS256"}, {}),
    ],
)
def test_the_environment_of_the_seeds(environ, found):
    assert borrowed(environ) == found


def test_another_algorithm_stops_the_start():
    with pytest.raises(BorrowedError, match="HS256"):
        borrowed({"JWT_ALGORITHM": "RS256"})


def test_the_yaml_of_001(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(YAML)
    found = borrowed({"CONFIG_PATH": str(path)})
    assert len(found.pop("secret")) == 64
    assert found == {
        "host": "127.0.0.1",
        "port": 8085,
        "rooms_system_name": "server",
        "rooms_error_name": "oops",
        "rooms_text_bytes": 500,
        "origins": ("https://a.example",),
        "rooms_token_seconds": 5400,
    }


@pytest.mark.parametrize("name", ["JWT_SECRET", "SECRET_KEY", "JWT_SECRET_KEY"])
@pytest.mark.parametrize("secret", ["dev-secret", "short", "x" * 15])
def test_a_weak_secret_stops_the_start_and_is_not_repeated(name, secret):
    with pytest.raises(BorrowedError, match=name) as refused:
        borrowed({name: secret})
    assert secret not in str(refused.value)


def test_no_secret_is_looked_at_where_ours_is_set(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("jwt: {secret: weak}")
    assert borrowed({"JWT_SECRET": "weak", "CONFIG_PATH": str(path), "VECHE_SECRET": "x" * 40}) == {}


@pytest.mark.parametrize("text", ["{", "[]", "jwt: {expire: soon}", "websocket: {check_origin: true}"])
def test_yaml_that_cannot_be_used(tmp_path, text):
    path = tmp_path / "config.yml"
    path.write_text(text)
    if text == "[]":
        assert borrowed({"CONFIG_PATH": str(path)}) == {}
    else:
        with pytest.raises(BorrowedError):
            borrowed({"CONFIG_PATH": str(path)})


def test_ours_win(monkeypatch):
    monkeypatch.setenv("PORT", "3001")
    assert read_settings().port == 3001
    monkeypatch.setenv("VECHE_PORT", "8000")
    assert read_settings().port == 8000
    assert read_settings(port=1234).port == 1234


def test_a_missing_file_is_said_plainly(monkeypatch):
    monkeypatch.setenv("CONFIG_PATH", "/nowhere/config.yaml")
    with pytest.raises(SettingsError, match="CONFIG_PATH"):
        read_settings()

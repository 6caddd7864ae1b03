"""Legacy names of settings are read; VECHE_ names have priority."""

from pathlib import Path

import pytest

from veche.app import DIALECTS
from veche.settings import SettingsError, read_legacy, read_settings

YAML = """
pkg: {system_username: server, error_username: oops}
http: {host: 127.0.0.1, port: 8085}
websocket: {msg_max_length: 500, check_origin: true, allowed_origins: ["https://a.example"]}
jwt: {secret: 0123456789abcdef0123, expire: 1h30m}
"""


def test_empty_and_other_variables_give_nothing():
    assert read_legacy(DIALECTS, {}) == {}
    assert read_legacy(DIALECTS, {"JWT_SECRET": "", "PORT": "", "HOME": "/root"}) == {}


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"APP_HOST": "0.0.0.0", "APP_PORT": "8100"}, {"VECHE_HOST": "0.0.0.0", "VECHE_PORT": "8100"}),
        (
            {"APP_HOST": "chat.example", "APP_PORT": "81"},
            {"VECHE_PORT": "81", "VECHE_CHANNELS_HOST": "chat.example:81"},
        ),
        ({"PORT": "3001"}, {"VECHE_PORT": "3001"}),
        ({"APP_HOST": "::1"}, {"VECHE_HOST": "::1", "VECHE_CHANNELS_HOST": "[::1]:8000"}),
        ({"IS_PROXY": "True"}, {"VECHE_CHANNELS_ECHO_PROXY": True}),
        ({"IS_PROXY": "1"}, {"VECHE_CHANNELS_ECHO_PROXY": True}),
        ({"IS_PROXY": "yes"}, {"VECHE_CHANNELS_ECHO_PROXY": False}),
        ({"IS_PROXY": "False"}, {"VECHE_CHANNELS_ECHO_PROXY": False}),
        ({"ACCESS_TOKEN_EXPIRE_MINUTES": "30"}, {"VECHE_CHANNELS_TOKEN_SECONDS": 1800}),
        ({"JWT_EXPIRATION_TIME": "3600"}, {"VECHE_MESSENGER_TOKEN_SECONDS": 216_000}),
        ({"DATABASE_URL": "sqlite:///x.db"}, {"VECHE_DATABASE_URL": "sqlite:///x.db"}),
        ({"POSTGRES_HOST": "db", "POSTGRES_NAME": "chat"}, {"VECHE_DATABASE_URL": "postgresql://db/chat"}),
        (
            {
                "POSTGRES_HOST": "db",
                "POSTGRES_PORT": "5433",
                "POSTGRES_DB": "app",
                "POSTGRES_USER": "me",
                "POSTGRES_PASSWORD": "p@ss/word",
            },
            {"VECHE_DATABASE_URL": "postgresql://me:p%40ss%2Fword@db:5433/app"},
        ),
        ({"POSTGRES_USER": "me", "POSTGRES_PASSWORD": "pw", "POSTGRES_DB": "app"}, {}),
        ({"JWT_ALGORITHM": "HS256"}, {}),
    ],
)
def test_the_environment_of_the_original_servers(environ, found):
    assert read_legacy(DIALECTS, environ) == found


def test_another_jwt_algorithm_is_refused():
    with pytest.raises(SettingsError, match="HS256"):
        read_legacy(DIALECTS, {"JWT_ALGORITHM": "RS256"})


def test_the_yaml_file_of_rooms(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(YAML)
    found = read_legacy(DIALECTS, {"CONFIG_PATH": str(path)})
    assert len(found.pop("VECHE_SECRET")) == 64
    assert found == {
        "VECHE_HOST": "127.0.0.1",
        "VECHE_PORT": 8085,
        "VECHE_ROOMS_SYSTEM_NAME": "server",
        "VECHE_ROOMS_ERROR_NAME": "oops",
        "VECHE_ROOMS_TEXT_BYTES": 500,
        "VECHE_ORIGINS": ("https://a.example",),
        "VECHE_ROOMS_TOKEN_SECONDS": 5400,
    }


@pytest.mark.parametrize("name", ["JWT_SECRET", "SECRET_KEY", "JWT_SECRET_KEY"])
@pytest.mark.parametrize("secret", ["dev-secret", "short", "x" * 15])
def test_a_weak_secret_is_refused_and_not_shown(name, secret):
    with pytest.raises(SettingsError, match=name) as refused:
        read_legacy(DIALECTS, {name: secret})
    assert secret not in str(refused.value)


def test_legacy_secrets_are_ignored_if_veche_secret_is_set(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("jwt: {secret: weak}")
    assert read_legacy(DIALECTS, {"JWT_SECRET": "weak", "CONFIG_PATH": str(path), "VECHE_SECRET": "x" * 40}) == {}


@pytest.mark.parametrize("text", ["{", "[]", "jwt: {expire: soon}", "websocket: {check_origin: true}"])
def test_invalid_yaml_is_refused(tmp_path, text):
    path = tmp_path / "config.yml"
    path.write_text(text)
    if text == "[]":
        assert read_legacy(DIALECTS, {"CONFIG_PATH": str(path)}) == {}
    else:
        with pytest.raises(SettingsError):
            read_legacy(DIALECTS, {"CONFIG_PATH": str(path)})


def test_veche_names_and_overrides_have_priority(monkeypatch):
    monkeypatch.setenv("PORT", "3001")
    assert read_settings(DIALECTS).server.port == 3001
    monkeypatch.setenv("VECHE_PORT", "8000")
    assert read_settings(DIALECTS).server.port == 8000
    assert read_settings(DIALECTS, port=1234).server.port == 1234


def test_a_missing_file_is_refused(monkeypatch):
    monkeypatch.setenv("CONFIG_PATH", "/nowhere/config.yaml")
    with pytest.raises(SettingsError, match="CONFIG_PATH"):
        read_settings(DIALECTS)


@pytest.mark.parametrize("value", ["5", "{a: b}", "[1]"])
def test_allowed_origins_of_another_type_are_refused_with_a_sentence(tmp_path: Path, value: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"websocket: {{check_origin: true, allowed_origins: {value}}}\n")
    with pytest.raises(SettingsError, match=r"allowed_origins takes a list"):
        read_settings(DIALECTS, {"CONFIG_PATH": str(path)})


def test_a_single_allowed_origin_may_be_a_text(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("websocket: {check_origin: true, allowed_origins: 'https://a.example'}\n")
    assert read_settings(DIALECTS, {"CONFIG_PATH": str(path)}).server.origins == ("https://a.example",)

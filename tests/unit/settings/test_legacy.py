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
        ({"POSTGRES_HOST": "db", "POSTGRES_NAME": "chat"}, {"VECHE_DATABASE_URL": "postgresql://postgres@db/chat"}),
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
        (
            {"VECHE_CONTAINER": "1", "POSTGRES_USER": "me", "POSTGRES_PASSWORD": "pw", "POSTGRES_DB": "app"},
            {"VECHE_DATABASE_URL": "postgresql://me:pw@postgres/app"},
        ),
        (
            {"VECHE_CONTAINER": "True", "POSTGRES_DB": "app"},
            {"VECHE_DATABASE_URL": "postgresql://postgres@postgres/app"},
        ),
        (
            {"VECHE_CONTAINER": "1", "POSTGRES_PASSWORD": "pw"},
            {"VECHE_DATABASE_URL": "postgresql://postgres:pw@postgres/"},
        ),
        ({"POSTGRES_HOST": "::1", "POSTGRES_DB": "a"}, {"VECHE_DATABASE_URL": "postgresql://postgres@[::1]/a"}),
        (
            {"POSTGRES_HOST": "/run/postgresql", "POSTGRES_DB": "a"},
            {"VECHE_DATABASE_URL": "postgresql://postgres@%2Frun%2Fpostgresql/a"},
        ),
        ({"POSTGRES_PORT": "5432"}, {}),
        ({"DATABASE_URL": "sqlite:///x.db", "POSTGRES_DB": "app"}, {"VECHE_DATABASE_URL": "sqlite:///x.db"}),
        ({"JWT_ALGORITHM": "HS256"}, {}),
    ],
)
def test_the_environment_of_the_original_servers(environ, found):
    assert read_legacy(DIALECTS, environ) == found


@pytest.mark.parametrize("wish", ["DATABASE_URL", "POSTGRES_HOST", "POSTGRES_DB", "POSTGRES_USER", "db"])
def test_a_wish_for_postgresql_is_met_or_logged_if_sqlite_is_chosen(tmp_path, caplog, wish):
    """However it is expressed: the server never serves SQLite without a word."""
    environ = {wish: "postgresql://me:hunter2@db/app" if wish == "DATABASE_URL" else "db", "VECHE_CONTAINER": "1"}
    if wish == "db":
        (tmp_path / "config.yaml").write_text("db: {host: db, port: 5432, user: me, password: hunter2, name: chat}")
        environ = {"CONFIG_PATH": str(tmp_path / "config.yaml")}
    assert read_settings(DIALECTS, environ).server.database_url.startswith("postgresql://")
    assert not caplog.messages
    for chosen in ({"environ": environ | {"VECHE_DATABASE_URL": "sqlite:///y.db"}}, {"database_url": "sqlite:///y.db"}):
        caplog.clear()
        assert read_settings(DIALECTS, **{"environ": environ, **chosen}).server.database_url == "sqlite:///y.db"
        assert caplog.messages == ["the environment of an original server names another database, which is ignored"]
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("name", ["POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "POSTGRES_NAME"])
def test_a_database_without_a_host_is_refused_outside_of_the_container(name: str) -> None:
    with pytest.raises(SettingsError, match=r"^POSTGRES_HOST is not set: set it to the host of postgres") as refused:
        read_settings(DIALECTS, {name: "hunter2", "VECHE_CONTAINER": "off"})
    assert "hunter2" not in str(refused.value)
    for chosen in ("sqlite:///y.db", "postgresql://db/chat"):
        settings = read_settings(DIALECTS, {name: "hunter2"}, database_url=chosen)
        assert settings.server.database_url == chosen


def test_the_file_of_rooms_takes_what_is_missing_from_the_environment(tmp_path: Path) -> None:
    """The example of the original has only host and port there."""
    path = tmp_path / "config.yaml"
    path.write_text("db: {host: pg.example, port: 5433}\nredis: {host: redis, port: 6379, db: 0, ttl: 1h}")
    environ = {
        "CONFIG_PATH": str(path),
        "POSTGRES_USER": "me",
        "POSTGRES_PASSWORD": "p@ss/",
        "POSTGRES_DB": "chat",
        "REDIS_PASSWORD": "p:w",
    }
    assert read_legacy(DIALECTS, environ) == {
        "VECHE_DATABASE_URL": "postgresql://me:p%40ss%2F@pg.example:5433/chat",
        "VECHE_BUS_URL": "redis://:p%3Aw@redis:6379/",
    }
    path.write_text("redis: {host: 'fe80::1', password: own, db: 2}")
    assert read_legacy(DIALECTS, {"CONFIG_PATH": str(path), "REDIS_PASSWORD": "other"}) == {
        "VECHE_BUS_URL": "redis://:own@[fe80::1]/2"
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("db: {name: chat}", "^db.host is not set: set it to the host of postgres"),
        ("redis: {port: 1}", "^redis.host is not set: set it to the host of redis"),
    ],
)
def test_a_service_without_a_host_in_the_file_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=sentence):
        read_legacy(DIALECTS, {"CONFIG_PATH": str(path)})
    path.write_text("redis: {ttl: 10m}")
    assert read_legacy(DIALECTS, {"CONFIG_PATH": str(path)}) == {}


@pytest.mark.parametrize("chosen", [{}, {"VECHE_DATABASE_URL": "sqlite:///x.db"}])
def test_the_redis_of_a_file_is_ignored_if_the_database_is_sqlite(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, chosen: dict[str, str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("redis: {host: redis}")
    read_settings(DIALECTS, {"CONFIG_PATH": str(path), **chosen})
    assert caplog.messages == [
        "redis (in the file of CONFIG_PATH) is ignored: a server with SQLite needs no bus",
    ]


def test_two_databases_of_the_original_servers_are_logged(caplog):
    read_settings(DIALECTS, {"DATABASE_URL": "sqlite:///x.db", "POSTGRES_HOST": "db"})
    assert caplog.messages == ["POSTGRES_* is ignored, because DATABASE_URL is set"]


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
    assert read_legacy(DIALECTS, {"JWT_SECRET": "weak", "CONFIG_PATH": str(path), "VECHE_SECRET": "set"}) == {}


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


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"APP_PORT": "70000"}, "APP_PORT has to be less than or equal to 65535."),
        ({"PORT": "many"}, "PORT has to be a valid integer, unable to parse string as an integer."),
        ({"PORT": "many", "APP_PORT": "x"}, "APP_PORT has to be a valid integer, unable to parse"),
        (
            {"ACCESS_TOKEN_EXPIRE_MINUTES": "0"},
            "ACCESS_TOKEN_EXPIRE_MINUTES has to be greater than or equal to 1.",
        ),
        ({"JWT_EXPIRATION_TIME": "0"}, "JWT_EXPIRATION_TIME has to be greater than or equal to 1."),
        ({"JWT_SECRET": "a" * 16}, "JWT_SECRET is too weak"),
    ],
)
def test_an_error_names_what_the_operator_wrote(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(DIALECTS, environ)
    assert str(refused.value).startswith(sentence)
    assert "VECHE_" not in str(refused.value).replace("or set VECHE_SECRET instead", "")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("http: {port: many}", "http.port"),
        ("http: {port: 70000}", "http.port"),
        ("websocket: {msg_max_length: 0}", "websocket.msg_max_length"),
        ("jwt: {expire: 0s}", "jwt.expire"),
        (f"jwt: {{expire: {'9' * 9}h}}", "jwt.expire"),
        (f"jwt: {{expire: {'9' * 5000}h}}", "jwt.expire"),
        ("pkg: {system_username: [1]}", "pkg.system_username"),
        ("websocket: {check_origin: true, allowed_origins: [foo]}", "websocket.allowed_origins"),
        ("jwt: {secret: aaaaaaaaaaaaaaaaaaaaaaaa}", "jwt.secret"),
    ],
)
def test_an_error_in_the_yaml_file_names_the_key_of_the_file(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as refused:
        read_settings(DIALECTS, {"CONFIG_PATH": str(path)})
    assert str(refused.value).startswith(key)
    assert "VECHE_" not in str(refused.value).replace("or set VECHE_SECRET instead", "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "websocket: {check_orgin: true}",
            r"websocket\.check_orgin in the file of CONFIG_PATH\. Did you mean websocket\.check_origin\?",
        ),
        ("websokcet: {check_origin: true}", r"websokcet in the file of CONFIG_PATH\. Did you mean websocket\?"),
        ("jwt: {Secret: x}", r"jwt\.Secret in the file of CONFIG_PATH\. Did you mean jwt\.secret\?"),
        ("http: {zzzzzzzzzzz: 1}", r"http\.zzzzzzzzzzz in the file of CONFIG_PATH\.$"),
        ("1: 2", r"1 in the file of CONFIG_PATH\.$"),
    ],
)
def test_an_unknown_key_of_the_yaml_file_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=f"^There is no setting {sentence}"):
        read_settings(DIALECTS, {"CONFIG_PATH": str(path)})


WHOLE = """
pkg: {system_username: system, error_username: error, get_messages_limit: 50}
http: {host: 127.0.0.1, port: 8080, read_timeout: 5s, write_timeout: 10s, idle_timeout: 120s, shutdown_timeout: 20s,
  rate_limit: 100}
redis: {host: redis, port: 6379, password: x, db: 0, ttl: 10m}
websocket: {write_buf_size: 1024, read_buf_size: 1024, msg_buf_size: 20, msg_max_size: 16384, msg_max_length: 2000,
  write_wait: 10s, pong_wait: 60s, ping_period: 54s, max_failed_pings: 3, enable_compression: true, check_origin: false,
  allowed_origins: []}
jwt: {secret: 0123456789abcdeffedc, expire: 24h}
log: {level: info}
"""


def test_the_whole_file_of_the_original_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(WHOLE)
    assert read_settings(DIALECTS, {"CONFIG_PATH": str(path)}).server.port == 8080


def test_only_the_secret_that_is_used_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("jwt: {secret: 0123456789abcdeffedc}")
    secrets = {name: f"{name}{'6f1d0a7c3e9b4852'}" for name in ("JWT_SECRET", "SECRET_KEY", "JWT_SECRET_KEY")}
    read_settings(DIALECTS, {"CONFIG_PATH": str(path), **secrets})
    assert caplog.messages == ["tokens are signed with JWT_SECRET; set VECHE_SECRET instead, with 32 bytes or more"]
    caplog.clear()
    read_settings(DIALECTS, {"CONFIG_PATH": str(path), **secrets, "VECHE_SECRET": "6f1d0a7c3e9b48521f0e7d6c5b4a3928"})
    assert caplog.messages == []
    read_settings(DIALECTS, {"CONFIG_PATH": str(path)})
    assert caplog.messages[0].startswith("tokens are signed with jwt.secret (in the file of CONFIG_PATH)")

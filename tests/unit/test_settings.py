"""Settings: their order of strength, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.errors import ConfigurationError
from indexer.settings import Settings, load_settings


def profile(tmp_path: Path, text: str) -> str:
    path = tmp_path / "own.toml"
    path.write_text(text, "utf-8")
    return str(path)


def test_flag_beats_environment_beats_profile_beats_default(tmp_path: Path) -> None:
    name = profile(tmp_path, 'catalog = "from_profile"\nport = 1\nhost = "profile"\n')
    environment = {"VITRINE_PORT": "2", "VITRINE_HOST": "environment"}
    effective = load_settings({"host": "flag", "model": None}, profile=name, environment=environment)
    settings = effective.settings
    assert (settings.catalog, settings.port, settings.host, settings.model) == ("from_profile", 2, "flag", "auto")
    origins = {key: effective.origins[key] for key in ("catalog", "port", "host", "model")}
    assert origins == {"catalog": f"profile {name}", "port": "environment", "host": "flag", "model": "default"}


@pytest.mark.parametrize("name", ["embedded", "production", "test"])
def test_shipped_profiles_are_valid(name: str) -> None:
    assert load_settings(profile=name, environment={}).settings.store in {"edge", "qdrant"}


def test_the_profile_can_be_named_by_the_environment() -> None:
    assert load_settings(environment={"VITRINE_PROFILE": "test"}).settings.model == "demo"
    assert load_settings(environment={}).profile == "embedded"


def test_lists_are_comma_separated() -> None:
    settings = load_settings(environment={"VITRINE_IMAGE_ALLOWED_HOSTS": "cdn.shop.example, 10.0.0.1,"}).settings
    assert settings.image_allowed_hosts == ("cdn.shop.example", "10.0.0.1")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"VITRINE_PORT": "many"}, "port.*environment.*many"),
        ({"VITRINE_PORT": "70000"}, "port.*70000"),
        ({"VITRINE_PRECISION": "fp8"}, "precision.*fp8"),
        ({"VITRINE_CATALOG": "../x"}, "catalog"),
        ({"VITRINE_MODLE": "demo"}, "no setting modle.*environment"),
        ({"VITRINE_PROFILE": "nope"}, "no profile nope.*embedded, production, test"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_settings(environment=environment)


@pytest.mark.parametrize(("text", "message"), [("prot = 1", "no setting prot.*profile"), ("port = ", "cannot be read")])
def test_a_wrong_profile_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_settings(profile=profile(tmp_path, text), environment={})


def test_secrets_are_not_shown() -> None:
    settings = load_settings({"qdrant_api_key": "s3cret"}, environment={}).settings
    assert "s3cret" not in repr(settings)
    assert settings.qdrant_api_key.get_secret_value() == "s3cret"


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_another_process_gets_the_same_settings_through_its_environment() -> None:
    flags = {"image_allowed_hosts": "a,b", "admin_key": "s3cret", "follow_s": 0.25, "data_dir": "x y", "port": 0}
    settings = load_settings(flags, environment={}).settings
    assert load_settings(environment=settings.to_environment(), profile="production").settings == settings

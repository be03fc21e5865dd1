"""The files in deploy/ are true of the package: names, ports, variables, files, commands. No
container engine is needed; systemd's own check runs where systemd is."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import check_docs
from yiku.cli.main import main
from yiku.cli.serve import MORE_S
from yiku.server.http import routes
from yiku.settings import OF_PROVIDERS, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VARIABLES = check_docs.setting_variables()
COMPOSE = ["compose.sqlite.yml", "compose.postgres.yml"]
PORT = Settings.model_fields["port"].default
PATHS = {getattr(route, "path", "") for route in routes().routes}


def text_of(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile: each with what it is given, in order."""
    lines = [line for line in text_of("Dockerfile").splitlines() if not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = [line.split(maxsplit=1) for line in whole.splitlines() if line.strip()]
    return [(word, rest) for word, rest in found]


def given_to(word: str) -> list[str]:
    return [rest for one, rest in instructions() if one == word]


def image_variables() -> dict[str, str]:
    pairs = [pair for rest in given_to("ENV") for pair in rest.split()]
    return dict(pair.split("=", 1) for pair in pairs)


def compose(name: str) -> dict[str, Any]:
    return yaml.safe_load(text_of(name))


def unit() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text_of("yiku.service").splitlines():
        if re.match(r"[A-Z]\w+=", line):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def checked(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> Settings:
    """The settings that these variables make; those that are no setting are the test's failure."""
    ours = {name: value for name, value in variables.items() if name.startswith("YIKU_")}
    assert ours.keys() <= VARIABLES, ours.keys() - VARIABLES
    monkeypatch.chdir(folder)
    for name, value in ours.items():
        monkeypatch.setenv(
            name, re.sub(r"\$\{\w+(?::\?[^}]*)?\}", "given", re.sub(r"\$\{\w+:-\}", "", value))
        )
    return Settings()


def assert_command(words: str) -> None:
    """It is a command of ours, with options it has."""
    name, _, rest = words.partition(" ")
    assert name in PROJECT["scripts"]
    assert check_docs.wrong_command(rest, main) is None, words


def test_the_image_copies_what_is_there_and_ignores_the_rest() -> None:
    allowed = [
        line.removeprefix("!").strip("/")
        for line in text_of("Dockerfile.dockerignore").splitlines()
        if line.startswith("!")
    ]
    copied = [
        source
        for rest in given_to("COPY")
        if not rest.startswith("--from=")
        for source in rest.split()[:-1]
    ]
    assert copied
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert sorted(copied) == sorted(allowed)
    built = {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml", "src"}
    assert built <= set(copied), "the package can't be built without"


def test_the_image_is_slim_of_two_stages_and_not_roots() -> None:
    bases = given_to("FROM")
    assert len(bases) == 2
    assert bases[0].endswith(" AS build")
    assert all(base.startswith("python:${PYTHON}-slim") for base in bases)
    version = given_to("ARG")[0].removeprefix("PYTHON=")
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]
    after = [word for word, _ in instructions()]
    assert given_to("USER") == ["yiku"]
    assert after.index("USER") > max(n for n, word in enumerate(after) if word == "RUN")
    assert not any(
        "apt-get" in run and "rm -rf /var/lib/apt/lists" not in run for run in given_to("RUN")
    )


def test_the_image_serves_where_it_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variables = image_variables()
    settings = checked(variables, monkeypatch, tmp_path)
    assert given_to("EXPOSE") == [str(PORT)] == [variables["YIKU_PORT"]]
    assert settings.host == "0.0.0.0"
    assert given_to("VOLUME") == [variables["YIKU_HOME"]] == given_to("WORKDIR")[1:]
    assert variables["YIKU_HOME"] in " ".join(given_to("RUN"))
    assert json.loads(given_to("ENTRYPOINT")[0]) == [*PROJECT["scripts"]]
    assert_command("yiku " + " ".join(json.loads(given_to("CMD")[0])))


def test_the_health_check_asks_a_route_that_is_there() -> None:
    [check] = given_to("HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    compile(command[2], "health check", "exec")
    [path] = re.findall(r"'(/\w+)'", command[2])
    assert path in PATHS
    assert seconds(re.findall(r"--timeout=(\w+)", check)[0]) > 5


def test_all_that_compose_sets_can_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in COMPOSE:
        found = compose(name)["services"]["yiku"]["environment"]
        settings = checked(found, monkeypatch, tmp_path)
        others = [one for one in found if not one.startswith("YIKU_")]
        assert [one for one in others if not OF_PROVIDERS.fullmatch(one)] == []
        assert settings.require_key == "always", "its ports are reached from elsewhere"
        assert settings.sandbox == "off"
        assert settings.database.startswith("postgresql://") == ("postgres" in name)


@pytest.mark.parametrize("name", COMPOSE)
def test_compose_builds_and_runs_what_is_there(name: str) -> None:
    found = compose(name)
    yiku = found["services"]["yiku"]
    context = (DEPLOY / yiku["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / yiku["build"]["dockerfile"]).is_file()
    assert_command("yiku " + " ".join(yiku["command"]))
    inside = [
        str(one).rpartition(":")[2] for one in (*yiku.get("ports", ()), *yiku.get("expose", ()))
    ]
    assert inside == [str(PORT)]
    assert all(str(one).startswith("127.0.0.1:") for one in yiku.get("ports", ()))
    assert f"home:{image_variables()['YIKU_HOME']}" in yiku["volumes"]
    grace = seconds(yiku["stop_grace_period"])
    assert grace > seconds(yiku["environment"]["YIKU_SHUTDOWN_S"]) + MORE_S
    for service in found["services"].values():
        assert "/" not in service["image"].partition("/")[0].rpartition(".")[0], (
            "no registry's host"
        )
        assert set(service.get("depends_on", ())) <= found["services"].keys()
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in found["volumes"] or (DEPLOY / source).is_file(), volume


def test_compose_has_the_postgres_that_yiku_is_told_of() -> None:
    services = compose("compose.postgres.yml")["services"]
    environment = services["postgres"]["environment"]
    user, database = environment["POSTGRES_USER"], environment["POSTGRES_DB"]
    password = environment["POSTGRES_PASSWORD"]
    assert services["yiku"]["environment"]["YIKU_DATABASE_URL"] == (
        f"postgresql://{user}:{password}@postgres/{database}"
    )
    assert services["postgres"]["image"].startswith("pgvector/pgvector:pg16")
    assert "psycopg" in (ROOT / "requirements.txt").read_text(encoding="utf-8"), "its driver"
    host, port = services["caddy"]["environment"]["SITE_UPSTREAM"].split(":")
    assert (host in services, port) == (True, str(PORT))
    caddys = set(re.findall(r"\{\$(\w+)", text_of("Caddyfile")))
    assert caddys == services["caddy"]["environment"].keys()


@pytest.mark.parametrize("name", COMPOSE)
def test_the_commands_that_are_told_exist(name: str) -> None:
    told = re.findall(r"run --rm yiku (.+)", text_of(name))
    assert told
    for words in told:
        assert_command(f"yiku {words}")


def test_the_systemd_unit_runs_what_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = unit()
    variables = dict(pair.split("=", 1) for line in found["Environment"] for pair in line.split())
    settings = checked(variables, monkeypatch, tmp_path)
    assert (settings.port, settings.host) == (PORT, "127.0.0.1")
    program, *words = found["ExecStart"][0].split()
    assert program.endswith("/bin/yiku")
    assert_command(" ".join(["yiku", *words]))
    assert f"/var/lib/{found['StateDirectory'][0]}" == str(settings.home)
    assert seconds(found["TimeoutStopSec"][0]) > settings.shutdown_s + MORE_S
    assert found["User"] != ["root"]


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:  # of another system: what is told above is all that can be
        assert unit()["Type"] == ["exec"]
        return
    here = re.sub(r"(?m)^(User|Group)=.*", r"\1=root", text_of("yiku.service"))
    file = tmp_path / "yiku.service"
    file.write_text(here.replace("/opt/yiku/.venv/bin/yiku", shutil.which("true") or "/bin/true"))
    done = subprocess.run(
        [program, "verify", "--man=no", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "yiku" in line]) == (
        0,
        [],
    )


def test_proxies_ask_where_the_server_listens_and_hold_nothing_back() -> None:
    nginx, caddy = text_of("nginx.conf"), text_of("Caddyfile")
    assert f"server 127.0.0.1:{PORT} " in nginx
    assert f"SITE_UPSTREAM:127.0.0.1:{PORT}" in caddy
    hidden = re.findall(r"location ~ \^/\((.+)\)\$", nginx)[0].split("|")
    assert {f"/{one}" for one in hidden} == set(re.findall(r"@inside path (.+)", caddy)[0].split())
    assert {f"/{one}" for one in hidden} <= PATHS
    assert "proxy_buffering off;" in nginx
    assert "flush_interval -1" in caddy
    assert nginx.count("{") == nginx.count("}")
    assert caddy.count("{") == caddy.count("}")


def test_each_file_is_described() -> None:
    page = (ROOT / "docs/howto/deploy.md").read_text(encoding="utf-8")
    names = [path.name for path in DEPLOY.iterdir() if not path.name.endswith(".dockerignore")]
    assert [name for name in names if f"deploy/{name}" not in page] == []

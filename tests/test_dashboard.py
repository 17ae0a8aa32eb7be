"""The dashboard: TensorBoard's page of a run, by events, by its JSON and in a browser.

The browser is Debian's Chromium, which nothing here installs; without it its test is
skipped: `apt-get install chromium chromium-driver`.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.logger import configure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import plugin_data_pb2

from curiosity_rl.agents.cli import dashboard_main, main, train_main
from curiosity_rl.agents.config import ExperimentConfig
from curiosity_rl.agents.experiment import build, finish
from curiosity_rl.agents.resuming import reopen
from curiosity_rl.agents.runs import RunFolder, begin
from curiosity_rl.agents.training import SHOWN
from curiosity_rl.tracking.callback import TrackingCallback
from curiosity_rl.tracking.layout import PAGE, charts

ROOT = Path(__file__).parents[1]
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
BROWSER_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--window-size=1400,900"),
)
ROLLOUT = {"n_steps": 64, "batch_size": 256, "n_epochs": 1}
RUNS: dict[str, dict[str, Any]] = {
    "grid": {
        "env": "door-key-v0",
        "env_kwargs": {"size": 5, "max_steps": 60},
        "intrinsic": "region-progress",
        "intrinsic_kwargs": {"capacity": 100},
        "algo_kwargs": ROLLOUT,
        "n_envs": 16,
        "n_timesteps": 3 * 16 * 64,
        "eval_freq": 1024,
    },
    "tutor": {
        "env": "tutor-chain-v0",
        "env_kwargs": {"budget": 10},
        "algo_kwargs": {"n_steps": 20, "batch_size": 160, "n_epochs": 1},
        "n_envs": 16,
        "n_timesteps": 3 * 16 * 20,
    },
}
CURRICULUM = {"Curriculum"}
# Made by protobuf when they are imported, so that types do not know of them.
LAYOUT: Any = getattr(layout_pb2, "Layout")  # noqa: B009
SETTINGS: Any = getattr(plugin_data_pb2, "HParamsPluginData")  # noqa: B009


def train(folder: Path, name: str) -> RunFolder:
    config = ExperimentConfig.load(
        **{**RUNS[name], "eval_students": 2, "progress": False},
        log_folder=str(folder),
    )
    return finish(build(config), begin(config), baselines=False).folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    """Two small runs below one folder."""
    folder = tmp_path_factory.mktemp("runs")
    return {name: train(folder, name) for name in RUNS}


def told(path: Path) -> tuple[EventAccumulator, list[dict[str, list[str]]], list[Any]]:
    """Return a run's events, its pages of charts, and its settings."""
    events = EventAccumulator(str(path), size_guidance={"tensors": 0}).Reload()
    pages, sessions = [], []
    for file in sorted(path.glob("events.out.tfevents.*")):
        for event in EventAccumulator(str(file))._generator.Load():
            for value in event.summary.value:
                plugin = value.metadata.plugin_data
                if plugin.plugin_name == "custom_scalars":
                    layout = LAYOUT.FromString(value.tensor.string_val[0])
                    titles = {
                        c.title: [x.title for x in c.chart] for c in layout.category
                    }
                    pages.append(titles)
                elif plugin.plugin_name == "hparams":
                    data = SETTINGS.FromString(plugin.content)
                    if data.HasField("session_start_info"):
                        sessions.append(dict(data.session_start_info.hparams))
    return events, pages, sessions


def test_a_run_writes_one_page_of_charts_all_with_data(
    runs: dict[str, RunFolder],
) -> None:
    for name, run in runs.items():
        events, pages, sessions = told(run.path)
        (page,) = pages
        assert set(page) == set(PAGE) - (set() if name == "tutor" else CURRICULUM)
        tags = events.Tags()["scalars"]
        for category, titles in page.items():
            for title in titles:
                found = [
                    t for p in PAGE[category][title] for t in tags if re.fullmatch(p, t)
                ]
                assert found, title
        assert charts(tags).keys() == page.keys()
        (settings,) = sessions
        assert set(settings) == set(SHOWN)
        assert settings["env"].string_value == RUNS[name]["env"]
        assert settings["n_envs"].number_value == 16
        steps = [e.step for e in events.Scalars("time/steps_per_second")]
        assert steps == [k * RUNS[name]["n_timesteps"] // 3 for k in (1, 2, 3)]


def test_the_page_about_tags_knows_all_that_runs_log(
    runs: dict[str, RunFolder],
) -> None:
    text = (ROOT / "docs" / "tensorboard.md").read_text("utf-8")
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    known = [tag for cell in cells for tag in re.findall("`([^`]+)`", cell)]
    patterns = [re.escape(tag).replace("NAME", ".+") for tag in known]
    for run in runs.values():
        tags = told(run.path)[0].Tags()
        for tag in (*tags["scalars"], *tags["images"]):
            plain = re.sub(r"_\d$", "", tag) if tag.startswith("intrinsic/") else tag
            assert any(re.fullmatch(pattern, plain) for pattern in patterns), tag
    for charts_of in PAGE.values():  # and every chart shows something that it names
        for title, shown in charts_of.items():
            found = [k for k in known for p in shown if re.fullmatch(p, k)]
            assert found, title


def test_a_page_shows_only_what_a_run_has() -> None:
    assert charts([]) == {}
    assert charts(["time/share_world", "train/loss"]) == {
        "Speed": {"Where the time goes": ["Multiline", ["^time/share_.+$"]]}
    }
    both = charts(["tutor/pass_rate", "intrinsic/forward_loss"])
    assert list(both) == ["Learning progress", "Curriculum"]


def test_a_resumed_run_has_its_page_and_settings_once(tmp_path: Path) -> None:
    config = ExperimentConfig.load(
        **{**RUNS["tutor"], "eval_students": 2, "progress": False, "save_freq": 1},
        log_folder=str(tmp_path),
    )
    run = finish(build(config), begin(config), baselines=False).folder
    for name in ("result.json", "timing.json"):
        (run.path / name).unlink()
    run.drop_after("step_000000000640")
    stopped = reopen(run.path)
    assert stopped.steps == 640
    finish(stopped.experiment, run, stopped.state, baselines=False)
    _, pages, sessions = told(run.path)
    assert len(pages) == len(sessions) == 1


def test_any_algorithm_can_be_shown(tmp_path: Path) -> None:
    model = PPO("MlpPolicy", "CartPole-v1", n_steps=64, n_epochs=1, device="cpu")
    model.set_logger(configure(str(tmp_path), ["tensorboard"]))
    model.learn(256, TrackingCallback())
    events, (page,), (settings,) = told(tmp_path)
    assert page.keys() == {"Learning progress", "Returns", "Speed"}
    assert settings["algo"].string_value == "PPO"
    assert {"rollout/success_rate", "time/share_update"} <= {*events.Tags()["scalars"]}


WRITER = """
import sys
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from curiosity_rl.tracking.callback import TrackingCallback

class Say(BaseCallback):
    def _on_rollout_start(self):
        print(self.num_timesteps, flush=True)
    def _on_step(self):
        return True

model = PPO("MlpPolicy", "CartPole-v1", n_steps=16, batch_size=16, n_epochs=1)
model.set_logger(configure(sys.argv[1], ["tensorboard"]))
model.learn(10**9, [TrackingCallback(), Say()])
"""


def test_what_was_logged_survives_a_kill(tmp_path: Path) -> None:
    """Also outside of run folders, where nothing is flushed to the disk for us."""
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reached = [int(process.stdout.readline()) for _ in range(20)][-1]
        process.send_signal(signal.SIGKILL)
    events, pages, _ = told(tmp_path)
    assert len(pages) == 1
    steps = [e.step for e in events.Scalars("time/steps_per_second")]
    assert steps[-1] >= reached > 0
    assert steps == list(range(16, steps[-1] + 1, 16))


@pytest.fixture(scope="module")
def dashboard(runs: dict[str, RunFolder]) -> Iterator[str]:
    """The address of the dashboard over both runs, started as a user does."""
    folder = runs["grid"].path.parents[1]
    script = str(ROOT / "scripts" / "dashboard.py")
    command = [sys.executable, script, "--logdir", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r"dashboard: (http://127\.0\.0\.1:\d+/)#custom_scalars", line)
        assert found, line
        deadline = time.monotonic() + 60
        while len(asked(found[1], "data/runs")) < len(RUNS):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield found[1]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def asked(address: str, path: str, data: Any = None) -> Any:
    body = None if data is None else json.dumps(data).encode()
    kind = {"Content-Type": "application/json"}
    request = urllib.request.Request(address + path, body, kind)
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.loads(reply.read())


def test_tensorboard_serves_every_promised_chart(
    dashboard: str, runs: dict[str, RunFolder]
) -> None:
    layout = asked(dashboard, "data/plugin/custom_scalars/layout")
    assert {category["title"] for category in layout["category"]} == set(PAGE)
    names = asked(dashboard, "data/runs")
    assert sorted(names) == [
        f"{run.path.parent.name}/{run.path.name}" for run in runs.values()
    ]
    for category in layout["category"]:
        for chart in category["chart"]:
            points = 0
            for run in names:
                for tag in chart["multiline"]["tag"]:
                    query = urllib.parse.urlencode({"run": run, "tag": tag})
                    path = f"data/plugin/custom_scalars/scalars?{query}"
                    reply = asked(dashboard, path)
                    assert reply["regex_valid"]
                    points += sum(map(len, reply["tag_to_events"].values()))
            assert points > 0, chart["title"]


def test_tensorboard_serves_curves_pictures_and_settings(
    dashboard: str, runs: dict[str, RunFolder]
) -> None:
    scalars = asked(dashboard, "data/plugin/scalars/tags")
    images = asked(dashboard, "data/plugin/images/tags")
    for run in runs.values():
        name = f"{run.path.parent.name}/{run.path.name}"
        assert "coverage/visits" in images[name]
        assert {"coverage/cells", "rollout/intrinsic_reward_lane_std"} <= set(
            scalars[name]
        )
    experiment = asked(dashboard, "data/plugin/hparams/experiment", {})
    assert {info["name"] for info in experiment["hparamInfos"]} == set(SHOWN)
    metrics = [{"name": info["name"]} for info in experiment["metricInfos"]]
    groups = asked(
        dashboard,
        "data/plugin/hparams/session_groups",
        {
            "startIndex": 0,
            "sliceSize": 10,
            "allowedStatuses": ["STATUS_SUCCESS", "STATUS_RUNNING", "STATUS_UNKNOWN"],
            "colParams": [{"metric": metric["name"]} for metric in metrics],
        },
    )
    worlds = {group["hparams"]["env"] for group in groups["sessionGroups"]}
    assert worlds == {settings["env"] for settings in RUNS.values()}
    for group in groups["sessionGroups"]:  # each metric is one that the run has logged
        named = {value["name"]["tag"] for value in group["metricValues"]}
        assert {"rollout/ep_rew_mean", "coverage/cells"} <= named


IN_SHADOWS = """
const found = [];
const look = (root) => {
  for (const element of root.querySelectorAll("*")) {
    const name = element.tagName.toLowerCase();
    if (name === "tf-custom-scalar-multi-line-chart-card") {
      const text = (element.shadowRoot || element).textContent;
      const matches = /Matches \\((\\d+)\\)/.exec(text);
      const lines = (element.shadowRoot || element);
      found.push([element.title || "", matches ? Number(matches[1]) : 0]);
    }
    if (element.shadowRoot) look(element.shadowRoot);
  }
};
look(document);
return found;
"""


@pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="no browser: apt-get install chromium chromium-driver",
)
def test_a_browser_shows_every_promised_chart_with_data(
    dashboard: str, tmp_path: Path
) -> None:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*BROWSER_FLAGS, f"--user-data-dir={tmp_path}"):
        options.add_argument(flag)
    promised = {
        chart["title"]
        for category in asked(dashboard, "data/plugin/custom_scalars/layout")[
            "category"
        ]
        for chart in category["chart"]
    }
    browser = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        browser.get(f"{dashboard}#custom_scalars")
        deadline, shown = time.monotonic() + 60, {}
        while time.monotonic() < deadline:
            shown = dict(browser.execute_script(IN_SHADOWS))
            if shown.keys() >= promised and all(shown.values()):
                break
            time.sleep(0.2)
        assert shown.keys() >= promised
        assert all(shown.values()), shown
        severe = [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]
        assert severe == []
    finally:
        browser.quit()


def refused(args: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert dashboard_main(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.promise("Wrong input is a sentence, not a traceback")
def test_what_cannot_be_shown_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], runs: dict[str, RunFolder]
) -> None:
    missing = tmp_path / "none"
    assert "is no folder" in refused(["--logdir", str(missing)], capsys)
    assert "no run has logged" in refused(["--logdir", str(tmp_path)], capsys)
    there = ["--logdir", str(runs["grid"].path)]
    assert "--port is 70000" in refused([*there, "--port", "70000"], capsys)
    assert "--port is 'x'" in refused([*there, "--port", "x"], capsys)
    assert "did you mean --logdir" in refused(["--logdirs", "x"], capsys)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused([*there, "--port", str(port)], capsys)
    assert f"port {port} cannot be had" in said
    assert main(["dashboard", "--logdir", str(missing)]) == 2


def test_track_needs_wandb_and_says_so_before_a_run_begins(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # as if it were not installed
    runs = tmp_path / "runs"
    assert train_main(["--env", "river-swim-v0", "-f", str(runs), "--track"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "pip install wandb" in err
    assert err.count("\n") == 1
    assert not runs.exists()


def test_only_this_machine_can_see_it(dashboard: str) -> None:
    port = urllib.parse.urlsplit(dashboard).port
    own = socket.gethostbyname(socket.gethostname())
    if own.startswith("127."):
        own = "127.0.0.1"
    if own != "127.0.0.1":
        with pytest.raises(OSError, match="refused"):
            http.client.HTTPConnection(own, port, timeout=5).connect()

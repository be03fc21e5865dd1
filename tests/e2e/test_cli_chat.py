"""`yiku chat`: an agent at a terminal, in a pipe, and for programs."""

import json
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Cli
from tests.servers.dialects import Call, Says
from tests.servers.scripted_chat import Fails, Script, ScriptedChat
from yiku.core.language import language_of

if sys.platform != "win32":
    from tests.e2e.terminal import CTRL_C, CTRL_D, Terminal

REMEMBERS = Says(
    text="",
    calls=(Call("memory_replace", {"label": "human", "old_str": "茶", "new_str": "咖啡"}),),
)


@pytest.fixture
def model(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedChat]:
    """What the agents of the test think with."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    with ScriptedChat() as server:
        monkeypatch.setenv("YIKU_MODEL", "openai/gpt-4o-mini")
        monkeypatch.setenv("YIKU_MODEL_BASE_URL", server.url)
        monkeypatch.setenv("YIKU_MODEL_API_KEY", "sk-test")
        yield server


@pytest.fixture
def at_terminal(cli: Cli) -> Iterator[Terminal]:
    with Terminal(cli, "chat", "ann") as shown:
        yield shown


@pytest.mark.usefixtures("first_start")
def test_on_a_fresh_machine_it_answers_without_a_model_and_says_how_to_add_one(cli: Cli) -> None:
    first = cli("chat", "--message", "我叫小明", LC_ALL="zh_CN.UTF-8")
    again = cli("chat", "--message", "我叫什么？", "--json", LC_ALL="C.UTF-8")

    assert "YIKU_MODEL" in first.out
    assert "新建了智能体 assistant" in first.err
    assert "✎ human" in first.err
    [agent, *events] = map(json.loads, again.out.splitlines())
    assert (agent["name"], agent["model"], agent["made"]) == ("assistant", "yiku/offline", False)
    said = "".join(event["text"] for event in events if event["event"] == "text")
    assert "小明" in said
    assert events[-1]["event"] == "ended"


def test_who_is_spoken_to_in_chinese_first_is_made_for_that_whatever_the_locale_says(
    cli: Cli, model: ScriptedChat
) -> None:
    model.respond = Script(*["好。"] * 4)

    cli("chat", "小红", "--message", "你好，我叫小明")
    cli("chat", "bo", stdin="hello\n你好\n".encode())
    cli("chat", "bo", "--message", "我在上海")

    told = [str(model.prompt(number)[0]["content"]) for number in range(4)]
    assert "我是一个乐于助人的助手" in told[0]
    assert "I am a helpful" not in told[0]
    # One that was there, or began in English, is as it was made.
    assert all("我是一个" not in text for text in told[1:])
    made = cli("agent", "show", "小红", "--json").json
    assert language_of([made["system"]]) == "zh"


def test_from_a_pipe_each_line_is_a_message_and_stdout_has_the_answers_alone(
    cli: Cli, model: ScriptedChat
) -> None:
    model.respond = Script("One.", Says(text="Two,\nand more."))

    done = cli("chat", "ann", stdin="first\n\n  \n第二\n".encode())

    assert done.out == "One.\nTwo,\nand more.\n"
    assert done.err == "made a new agent, ann\n"
    assert [body["messages"][-1]["content"] for body in model.bodies()] == ["first", "第二"]


def test_memory_edits_are_shown_as_they_happen_and_undone(cli: Cli, model: ScriptedChat) -> None:
    cli("agent", "create", "ann", "--block", "human=名字：小明\n喜欢：茶")
    model.respond = Script(REMEMBERS, "记住了。")

    done = cli("chat", "ann", stdin="我现在喝咖啡\n/memory human\n/undo\n/undo\n/memory\n".encode())

    assert done.out.splitlines() == [
        "记住了。",
        "human  11 / 100,000",
        "  名字：小明",
        "  喜欢：咖啡",
        "human  10 / 100,000",
        "  名字：小明",
        "  喜欢：茶",
    ]
    told = done.err.splitlines()
    assert '· memory_replace(label="human", old_str="茶", new_str="咖啡")' in told
    edit = told.index("✎ human")
    assert told[edit + 1 : edit + 3] == ["  - 喜欢：茶", "  + 喜欢：咖啡"]
    undo = told.index("✎ human", edit + 1)
    assert told[undo + 1 : undo + 3] == ["  - 喜欢：咖啡", "  + 喜欢：茶"]
    assert told[-1] == "no memory edit of this chat is left to take back"


def test_for_programs_each_event_is_an_object(cli: Cli, model: ScriptedChat) -> None:
    cli("agent", "create", "ann", "--block", "human=茶")
    model.respond = Script(REMEMBERS, Says(text="好的。", reasoning="想一想", piece=1))

    done = cli("chat", "ann", "--message", "hi", "--json")

    events = [json.loads(line) for line in done.out.splitlines()]
    kinds = list(dict.fromkeys(event["event"] for event in events))
    assert kinds == ["agent", "began", "called", "returned", "edited", "thought", "text", "ended"]
    by_kind = {event["event"]: event for event in events}
    assert by_kind["called"]["call"]["name"] == by_kind["returned"]["name"] == "memory_replace"
    assert (by_kind["edited"]["before"], by_kind["edited"]["after"]) == ("茶", "咖啡")
    assert [event["text"] for event in events if event["event"] == "text"] == ["好", "的", "。"]
    assert by_kind["ended"]["stop_reason"] == "end_turn"
    assert by_kind["ended"]["steps"] == 2
    assert by_kind["ended"]["text"] == "好的。"


def test_a_call_that_waits_is_told_and_answered_by_a_command(cli: Cli, model: ScriptedChat) -> None:
    cli("agent", "create", "ann", "--block", "human=茶", "--ask-before", "memory_replace")
    model.respond = Script(REMEMBERS, "Done.", REMEMBERS, "Then not.")

    waits = cli("chat", "ann", "--message", "coffee!", code=1)
    shown = cli("agent", "show", "ann")
    allowed = cli("chat", "ann", "--message", "/approve")
    cli("chat", "ann", "--message", "again!", code=1)
    denied = cli("chat", "ann", "--message", "/deny tea is fine")
    none = cli("chat", "ann", "--message", "/approve", code=1)
    refused = cli("chat", "ann", "--message", "/deny", "--json", code=1)

    assert "yiku chat ann --message /approve" in waits.err
    assert '"new_str": "咖啡"' in waits.err
    assert "/approve" in shown.err
    assert (allowed.out, denied.out) == ("Done.\n", "Then not.\n")
    assert "  + 咖啡" in allowed.err
    assert "✎" not in denied.err
    assert "tea is fine" in json.dumps(model.prompt(3))
    assert none.err == "no tool call waits\n"
    assert json.loads(refused.out.splitlines()[-1])["kind"] == "NothingToApprove"


def test_over_http_it_is_the_same(cli: Cli, model: ScriptedChat) -> None:
    model.respond = Script(then="Hello.")
    url, _ = cli.serve()

    done = cli("--url", url, "chat", "ann", "--message", "hi")
    again = cli("chat", "ann", "--message", "hi", YIKU_URL=url)

    assert (done.out, again.out) == ("Hello.\n", "Hello.\n")
    assert again.err == ""


def test_what_goes_wrong_is_told(cli: Cli, model: ScriptedChat) -> None:
    cli("chat", "ann", "--message", "hi")
    model.respond = Fails(status=401, message="Incorrect API key")

    failed = cli("chat", "ann", "--message", "hi", code=1)
    as_json = cli("chat", "ann", "--message", "hi", "--json", code=1)

    assert failed.out == ""
    assert "the answer failed" in failed.err
    assert [
        json.loads(line)["event"] for line in as_json.out.splitlines()
    ][-2:] == ["failed", "ended"]  # fmt: skip
    assert "no agent" in cli("chat", "agent-x", "--message", "hi", code=3).err
    assert "not both" in cli("chat", "ann", "--agent", "bo", code=2).err
    assert "empty" in cli("chat", "--message", " ", code=2).err
    assert "en and zh" in cli("chat", "--lang", "fr", code=2).err
    assert "UTF-8" in cli("chat", "ann", stdin=b"\xff\n", code=1).err


def test_a_word_that_is_no_command_is_told_and_a_path_is_a_message(
    cli: Cli, model: ScriptedChat
) -> None:
    lines = b"/memori\n/etc/hosts, what is it?\n /quit\n/help\n/quit\nnever said\n"

    done = cli("chat", "ann", stdin=lines)

    assert "there is no command /memori" in done.err
    assert "/undo" in done.err
    said = [body["messages"][-1]["content"] for body in model.bodies()]
    assert said == ["/etc/hosts, what is it?", " /quit"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX has terminals of this kind")
class TestAtATerminal:
    def test_it_greets_answers_and_ends(self, model: ScriptedChat, at_terminal: Terminal) -> None:
        model.respond = Script("Hello, Bo.")

        at_terminal.expect("made a new agent, ann")
        at_terminal.expect("openai/gpt-4o-mini")
        at_terminal.expect("› ")
        at_terminal.type("I am Bo.\n")
        at_terminal.expect("Hello, Bo.")
        at_terminal.expect("› ")
        at_terminal.type("one \\\n")
        at_terminal.expect("… ")
        at_terminal.type("two\n")
        at_terminal.expect("Understood.")
        at_terminal.expect("› ")
        at_terminal.type(CTRL_D)

        assert at_terminal.end() == 0
        assert model.prompt(-1)[-1]["content"] == "one \ntwo"

    def test_ctrl_c_ends_the_answer_and_not_the_chat(
        self, model: ScriptedChat, at_terminal: Terminal
    ) -> None:
        endless = Says(text="la " * 400, piece=3, gap_s=0.05)
        model.respond = Script(endless, "Fine.")

        at_terminal.expect("› ")
        at_terminal.type("sing\n")
        at_terminal.expect("la la la")
        at_terminal.type(CTRL_C)
        at_terminal.expect("cancelling")
        at_terminal.expect("cancelled")
        at_terminal.expect("› ")
        at_terminal.type("thanks\n")
        at_terminal.expect("Fine.")
        at_terminal.expect("› ")
        at_terminal.type(CTRL_C)
        at_terminal.expect("again ends")
        at_terminal.type(CTRL_C)

        assert at_terminal.end() == 0
        assert at_terminal.seen.count("la ") < 400

    def test_ctrl_c_just_before_a_key_is_waited_for_is_heard(
        self, model: ScriptedChat, at_terminal: Terminal
    ) -> None:
        at_terminal.expect("›")  # what comes next is the wait
        for _ in range(60):
            at_terminal.type(CTRL_C)
            at_terminal.expect("again ends")
            at_terminal.expect("›")
            at_terminal.type("\n")
            at_terminal.expect("›")

        at_terminal.type(CTRL_C)
        at_terminal.expect("again ends")
        at_terminal.type(CTRL_C)
        assert at_terminal.end() == 0

    def test_it_asks_before_a_tool_runs(self, cli: Cli, model: ScriptedChat) -> None:
        cli("agent", "create", "ann", "--block", "human=茶", "--ask-before", "memory_replace")
        model.respond = Script(REMEMBERS, "Then not.", REMEMBERS, "Changed.")

        with Terminal(cli, "chat", "ann") as shown:
            shown.expect("› ")
            shown.type("coffee\n")
            shown.expect("memory_replace")
            shown.expect("allow?")
            shown.type("n\n")
            shown.expect("why not")
            shown.type("tea is fine\n")
            shown.expect("Then not.")
            shown.expect("› ")
            shown.type("juice\n")
            shown.expect("allow?")
            shown.type("e\n")
            shown.expect('"咖啡"}')
            shown.type("\x15[1]\n")  # Ctrl-U: the line anew
            shown.expect("no JSON object")
            shown.expect("as JSON: ")
            shown.type('\x15{"label": "human", "old_str": "茶", "new_str": "果汁"}\n')
            shown.expect("✎ human")
            shown.expect("+ 果汁")
            shown.expect("Changed.")
            shown.type("/quit\n")
            assert shown.end() == 0

        [human] = cli("agent", "show", "ann", "--json").json["blocks"]
        assert human["value"] == "果汁"

    def test_a_server_that_goes_away_is_told_and_the_chat_goes_on(
        self, cli: Cli, model: ScriptedChat
    ) -> None:
        model.respond = Script(then=Says(text="la " * 400, piece=3, gap_s=0.05))
        url, server = cli.serve()

        with Terminal(cli, "--url", url, "chat", "ann") as shown:
            shown.expect("› ")
            shown.type("sing\n")
            shown.expect("la la la")
            server.kill()
            shown.expect("can't be reached")
            shown.expect("› ")
            shown.type("again\n")
            shown.expect("can't be reached")
            shown.expect("› ")
            shown.type("/quit\n")
            assert shown.end() == 0

        assert "Traceback" not in shown.seen

    def test_an_error_is_told_and_the_chat_goes_on(
        self, model: ScriptedChat, at_terminal: Terminal
    ) -> None:
        model.respond = Script("Back.")

        at_terminal.expect("› ")
        at_terminal.type("/memory nothing\n")
        at_terminal.expect("nothing")
        at_terminal.expect("› ")
        at_terminal.type("hi\n")
        at_terminal.expect("Back.")

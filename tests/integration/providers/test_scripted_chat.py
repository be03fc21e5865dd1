"""The scripted model that other tests and benchmarks talk with, in a process of its own."""

import httpx

from tests.servers.scripted_chat import Answer, Fails, Says, ScriptedProcess


def moody(request: object) -> Answer:
    """Says why it is asked, or refuses to be."""
    assert isinstance(request, dict)
    text = request["messages"][-1]["content"]
    return Fails(status=429, message="Slow down.") if text == "fail" else Says(text="Fine.")


def test_in_its_own_process_a_script_may_answer_and_fail() -> None:
    def asked(text: str) -> httpx.Response:
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        return httpx.post(f"{model.url}/chat/completions", json=body, trust_env=False)

    with ScriptedProcess(f"{__name__}:moody") as model:
        said, refused = asked("hi"), asked("fail")

    assert said.json()["choices"][0]["message"]["content"] == "Fine."
    assert (refused.status_code, refused.json()["error"]["message"]) == (429, "Slow down.")
